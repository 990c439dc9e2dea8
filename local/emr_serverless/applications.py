"""Applications of the local EMR Serverless: their lifecycle, defaults and tags.

What AWS refuses in which state, and in which words, is in docs/aws-facts.md#emr-application-states.
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from local.account import ACCOUNT, REGION
from local.endpoint.protocol import ApiError, Call, service_model

SERVICE = "emr-serverless"
SOURCE = "aws.emr-serverless"
Emit = Callable[[str, str, dict[str, Any], list[str]], None]

DEFAULTS: Mapping[str, Any] = {
    "architecture": "X86_64",
    "autoStartConfiguration": {"enabled": True},
    "autoStopConfiguration": {"enabled": True, "idleTimeoutMinutes": 15},
    "schedulerConfiguration": {"maxConcurrentRuns": 15, "queueTimeoutMinutes": 360},
}
RESTING = ("CREATED", "STOPPED")
STOPPABLE = ("STARTING", "STARTED")
#: What a STARTED application takes: of schedulerConfiguration, only maxConcurrentRuns.
UPDATED_WHILE_STARTED = (
    "schedulerConfiguration.maxConcurrentRuns",
    "extendedSupportConfiguration",
    "imageConfiguration",
    "workerTypeSpecifications.imageConfiguration",
    "maximumCapacity",
)


def now() -> datetime:
    return datetime.now(UTC)


def timestamp(time: datetime) -> str:
    """A timestamp as AWS writes it in event details: with microseconds and a Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_id() -> str:
    """A sixteen-character id, as EMR Serverless assigns to applications and job runs."""
    return "00" + secrets.token_hex(7)


@dataclass(frozen=True)
class Application:
    id: str
    properties: Mapping[str, Any]  # requested members of botocore's Application shape, over the defaults
    state: str
    created_at: datetime
    updated_at: datetime

    @property
    def arn(self) -> str:
        return f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/{self.id}"

    @property
    def most_runs(self) -> int:
        return int(self.properties["schedulerConfiguration"].get("maxConcurrentRuns", 15))

    def as_answer(self) -> dict[str, Any]:
        times = {"createdAt": self.created_at, "updatedAt": self.updated_at}
        return {"applicationId": self.id, "arn": self.arn, "state": self.state, **self.properties, **times}

    def as_summary(self) -> dict[str, Any]:
        answer = self.as_answer()
        wanted = ("name", "arn", "releaseLabel", "type", "state", "createdAt", "updatedAt", "architecture")
        return {"id": self.id} | {key: answer[key] for key in wanted if key in answer}


@dataclass
class Tokens:
    """Client tokens of one kind of request, each with its parameters and the id created for it."""

    known: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)

    def find(self, parameters: dict[str, Any]) -> str | None:
        """The id created earlier for this token, or None; ConflictException if the other parameters differ."""
        earlier = self.known.get(parameters["clientToken"])
        if earlier and earlier[0] != parameters:
            raise ApiError("ConflictException", f"clientToken {parameters['clientToken']} came with other parameters")
        return earlier[1] if earlier else None

    def remember(self, parameters: dict[str, Any], made: str) -> None:
        self.known[parameters["clientToken"]] = (parameters, made)


@dataclass(frozen=True)
class Activity:
    """The job runs of one application."""

    unfinished: int
    latest_at: datetime | None  # when one of them last changed its state


class Applications:
    """All applications; every method is thread-safe. `minute` is the length in seconds of a minute of idleness."""

    def __init__(self, emit: Emit, activity: Callable[[str], Activity], minute: float = 60.0) -> None:
        self._emit, self._activity, self._minute = emit, activity, minute
        self._lock = threading.RLock()
        self._all: dict[str, Application] = {}
        self._tokens = Tokens()
        shapes = service_model(SERVICE)
        self._members = set(shapes.shape_for("Application").members)  # type: ignore[attr-defined]

    def handlers(self) -> dict[str, Callable[[Call], dict[str, Any]]]:
        return {
            "CreateApplication": self.create,
            "GetApplication": lambda call: {"application": self.get(call).as_answer()},
            "ListApplications": self.list,
            "StartApplication": self.start,
            "StopApplication": self.stop,
            "UpdateApplication": self.update,
            "DeleteApplication": self.delete,
        }

    def create(self, call: Call) -> dict[str, Any]:
        with self._lock:
            known = self._tokens.find(call.parameters)
            application = self._all[known] if known else self._new(call.parameters)
        answer = {"applicationId": application.id, "arn": application.arn}
        return answer | {"name": application.properties.get("name")}

    def _new(self, parameters: dict[str, Any]) -> Application:
        if parameters["type"].upper() != "SPARK":
            raise ApiError(
                "ValidationException", f"only SPARK applications are supported locally, not {parameters['type']}"
            )
        members = {key: value for key, value in parameters.items() if key in self._members}
        scheduler = DEFAULTS["schedulerConfiguration"] | members.get("schedulerConfiguration", {})
        properties = {**DEFAULTS, **members, "schedulerConfiguration": scheduler, "type": "Spark"}
        time = now()
        application = Application(new_id(), properties, "CREATING", time, time)
        self._tokens.remember(parameters, application.id)
        self._set(application, "CREATING")
        return self._set(application, "CREATED")

    def get(self, call: Call) -> Application:
        """The application that the call names; ResourceNotFoundException if there is none."""
        wanted = call.parameters["applicationId"]
        with self._lock:
            application = self._all.get(wanted)
            if application is None:
                raise ApiError("ResourceNotFoundException", f"Application {wanted} does not exist")
            return self._stopped(application) if self._has_been_idle(application) else application

    def list(self, call: Call) -> dict[str, Any]:
        states = call.parameters.get("states")
        summaries = [a.as_summary() for a in self._all.values() if not states or a.state in states]
        return page(summaries, call.parameters, "applications", "id")

    def update(self, call: Call) -> dict[str, Any]:
        with self._lock:
            application = self.get(call)
            check_update(application, call.parameters)
            changes = {k: v for k, v in call.parameters.items() if k in self._members and k != "applicationId"}
            changed = replace(application, properties={**application.properties, **changes}, updated_at=now())
            self._all[application.id] = changed
        return {"application": changed.as_answer()}

    def delete(self, call: Call) -> dict[str, Any]:
        with self._lock:
            application = self.get(call)
            if application.state not in RESTING:
                listed = f"[{', '.join(RESTING)}]. Current status: {application.state}"
                words = f"Application {application.id} must be in one of the following statuses {listed}"
                raise ApiError("ValidationException", words)
            self._set(application, "TERMINATED")
        return {}

    def start(self, call: Call) -> dict[str, Any]:
        with self._lock:
            application = self.get(call)
            if application.state == "TERMINATED":
                raise ApiError("ValidationException", f"Application {application.id} is in state TERMINATED")
            if application.state != "STARTED":
                self._set(self._set(application, "STARTING"), "STARTED")
        return {}

    def stop(self, call: Call) -> dict[str, Any]:
        with self._lock:
            application = self.get(call)
            if application.state not in STOPPABLE:
                words = f"Applications must be in one of the following statuses: [{', '.join(STOPPABLE)}]"
                raise ApiError("ValidationException", f"Application cannot be STOPPED. {words}")
            if self._activity(application.id).unfinished:
                words = "All scheduled and running jobs must be completed or cancelled before stopping an application."
                raise ApiError("ValidationException", words)
            self._stopped(application)
        return {}

    def started(self, call: Call) -> Application:
        """The application for a new run, auto-started if necessary; ConflictException if it cannot start."""
        with self._lock:
            application = self.get(call)
            if application.state == "STARTED":
                return application
            if application.state not in RESTING or not application.properties["autoStartConfiguration"].get("enabled"):
                raise ApiError("ConflictException", f"Application {application.id} is in state {application.state}")
            return self._set(self._set(application, "STARTING"), "STARTED")

    def by_arn(self, arn: str) -> Application | None:
        return next((a for a in self._all.values() if a.arn == arn), None)

    def set_tags(self, application: Application, tags: dict[str, str]) -> None:
        with self._lock:
            self._all[application.id] = replace(application, properties={**application.properties, "tags": tags})

    def forget_tokens(self) -> None:
        self._tokens = Tokens()

    def _has_been_idle(self, application: Application) -> bool:
        """Whether auto stop is due: it is checked when a call asks for the application."""
        auto_stop = application.properties["autoStopConfiguration"]
        activity = self._activity(application.id)
        if application.state != "STARTED" or not auto_stop.get("enabled", True) or activity.unfinished:
            return False
        since = max(application.updated_at, activity.latest_at or application.updated_at)
        return now() - since >= timedelta(seconds=self._minute * auto_stop.get("idleTimeoutMinutes", 15))

    def _stopped(self, application: Application) -> Application:
        return self._set(self._set(application, "STOPPING"), "STOPPED")

    def _set(self, application: Application, state: str) -> Application:
        changed = replace(application, state=state, updated_at=now())
        self._all[changed.id] = changed
        self._emit(SOURCE, "EMR Serverless Application State Change", _detail(changed), [])
        return changed


def check_update(application: Application, request: Mapping[str, Any]) -> None:
    """Raises ValidationException unless the application's state permits the update."""
    if application.state == "STARTED":
        if not set(_updated(request)) <= set(UPDATED_WHILE_STARTED):
            words = "Only the following configurations can be updated when an application is in STARTED state"
            raise ApiError("ValidationException", f"{words}: {', '.join(UPDATED_WHILE_STARTED)}.")
    elif application.state not in RESTING:
        listed = f"[STOPPED, CREATED]. Current status: {application.state}"
        words = f"Application {application.id} must be in one of the statuses to be updated: {listed}"
        raise ApiError("ValidationException", words)


def _updated(request: Mapping[str, Any]) -> Iterator[str]:
    """The configurations that an update names, as AWS spells them in its error."""
    for name, value in request.items():
        if name in ("schedulerConfiguration", "workerTypeSpecifications"):
            inner = value.values() if name == "workerTypeSpecifications" else [value]
            yield from (f"{name}.{key}" for each in inner for key in each)
        elif name not in ("applicationId", "clientToken"):
            yield name


def _detail(application: Application) -> dict[str, Any]:
    properties = application.properties
    return {
        "applicationId": application.id,
        "applicationName": properties.get("name", ""),
        "arn": application.arn,
        "releaseLabel": properties["releaseLabel"],
        "state": application.state,
        "type": properties["type"].upper(),
        "createdAt": timestamp(application.created_at),
        "updatedAt": timestamp(application.updated_at),
        "autoStopConfig": {
            "enabled": properties["autoStopConfiguration"].get("enabled", True),
            "idleTimeout": properties["autoStopConfiguration"].get("idleTimeoutMinutes", 15),
        },
        "autoStartConfig": {"enabled": properties["autoStartConfiguration"].get("enabled", True)},
    }


def page(rows: list[dict[str, Any]], parameters: Mapping[str, Any], member: str, key: str) -> dict[str, Any]:
    """One page of `rows`; its token is the last row's `key`, so that new rows do not shift later pages."""
    token = parameters.get("nextToken")
    keys = [str(row[key]) for row in rows]
    if token is not None and token not in keys:
        raise ApiError("ValidationException", f"nextToken {token} is not known")
    first = keys.index(token) + 1 if token is not None else 0
    size = parameters.get("maxResults") or 50
    more = {"nextToken": keys[first + size - 1]} if first + size < len(rows) else {}
    return {member: rows[first : first + size]} | more
