"""A job run of the local EMR Serverless, and its form in the API's answers and in events."""

import json
import shlex
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from local.emr_serverless.applications import Application, now, timestamp
from local.emr_serverless.usage import Worker, billed, contradiction, spark_properties, used, workers
from local.endpoint.protocol import ApiError
from local.spark.runner import JobSpec, Outcome

WAITING: Final = ("SUBMITTED", "QUEUED")
FINAL: Final = ("SUCCESS", "FAILED", "CANCELLED")
DEFAULT_TIMEOUT_MINUTES: Final = 720
LONGEST_DETAILS: Final = 256
FAILURE: Final = (
    "Job failed, please check complete logs in configured logging destination. ExitCode: {}. Last few exceptions: "
)


@dataclass(frozen=True)
class Attempt:
    number: int
    created_at: datetime
    updated_at: datetime
    state: str = "SUBMITTED"
    details: str = ""


@dataclass(frozen=True)
class Run:
    id: str
    application: Application
    request: dict[str, Any]  # parameters of StartJobRun
    created_by: str
    created_at: datetime
    updated_at: datetime
    attempts: tuple[Attempt, ...]
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancelled: threading.Event = field(default_factory=threading.Event, compare=False)
    used_up: int = 0  # the time limit in seconds, if it has ended the run

    @property
    def arn(self) -> str:
        return f"{self.application.arn}/jobruns/{self.id}"

    @property
    def attempt(self) -> Attempt:
        return self.attempts[-1]

    @property
    def state(self) -> str:
        return self.attempt.state

    @property
    def seconds(self) -> float:
        """How long the run has held its workers, so far or in total."""
        return ((self.ended_at or now()) - self.started_at).total_seconds() if self.started_at else 0.0


def check_job(request: dict[str, Any]) -> None:
    """Raises ValidationException unless the request is for a Spark job with valid parameters and worker sizes."""
    if "sparkSubmit" not in request.get("jobDriver", {}):
        raise ApiError("ValidationException", "jobDriver.sparkSubmit is required")
    if "policyArns" in request.get("executionIamPolicy", {}):
        raise ApiError("ValidationException", "executionIamPolicy.policyArns is not supported locally")
    try:
        json.loads(session_policy(request) or "{}")
    except ValueError as error:
        raise ApiError("ValidationException", f"executionIamPolicy.policy is not JSON: {error}") from error
    try:
        sizes(job_spec("check", request))
    except ValueError as error:
        raise ApiError("ValidationException", f"sparkSubmitParameters: {error}") from error


def session_policy(request: dict[str, Any]) -> str | None:
    """The text of the policy that narrows the run's role; None if the request has none."""
    policy: str | None = request.get("executionIamPolicy", {}).get("policy")
    return policy


def refused_at_start(spec: JobSpec) -> str:
    """Why EMR fails the run before any of its code runs; "" if it does not."""
    return contradiction({**spec.properties, **spark_properties(spec.parameters)})


def sizes(spec: JobSpec) -> tuple[Worker, ...]:
    """The workers that a job requests; its spark-submit parameters override configurationOverrides."""
    return workers({**spec.properties, **spark_properties(spec.parameters)})


def job_spec(run_id: str, request: dict[str, Any]) -> JobSpec:
    """The runner's input for a run, from the parameters of StartJobRun."""
    spark = request["jobDriver"]["sparkSubmit"]
    overrides = request.get("configurationOverrides", {}).get("applicationConfiguration", [])
    given = [c.get("properties", {}) for c in overrides if c["classification"] == "spark-defaults"]
    properties = {key: value for chunk in given for key, value in chunk.items()}
    return JobSpec(
        run_id=run_id,
        entry_point=spark["entryPoint"],
        arguments=tuple(spark.get("entryPointArguments", ())),
        parameters=tuple(shlex.split(spark.get("sparkSubmitParameters", ""))),
        properties=properties,
    )


def failure_details(outcome: Outcome) -> str:
    """A failed run's stateDetails: EMR's sentence, then as much of the error's end as fits."""
    words = FAILURE.format(outcome.exit_code)
    room = LONGEST_DETAILS - len(words)
    return words + outcome.details.strip()[-room:]


def is_listed(run: Run, request: dict[str, Any]) -> bool:
    after, before = request.get("createdAtAfter"), request.get("createdAtBefore")
    in_time = (not after or run.created_at >= after) and (not before or run.created_at <= before)
    mode = request.get("mode") or run.request.get("mode", "BATCH")
    return in_time and run.request.get("mode", "BATCH") == mode and run.state in (request.get("states") or [run.state])


def detail(run: Run) -> dict[str, Any]:
    return {
        "jobRunId": run.id,
        "applicationId": run.application.id,
        "arn": run.arn,
        "releaseLabel": run.application.properties["releaseLabel"],
        "createdBy": run.created_by,
        "updatedAt": timestamp(run.updated_at),
        "createdAt": timestamp(run.created_at),
    }


def attempts_detail(failed: Attempt, following: Attempt) -> dict[str, Any]:
    return {
        "previousAttempt": failed.number,
        "previousAttemptState": failed.state,
        "previousAttemptCreatedAt": timestamp(failed.created_at),
        "previousAttemptEndedAt": timestamp(failed.updated_at),
        "newAttempt": following.number,
        "newAttemptCreatedAt": timestamp(following.created_at),
    }


def _common(run: Run, attempt: Attempt) -> dict[str, Any]:
    return {
        "applicationId": run.application.id,
        "name": run.request.get("name"),
        "arn": run.arn,
        "createdBy": run.created_by,
        "executionRole": run.request["executionRoleArn"],
        "state": attempt.state,
        "stateDetails": attempt.details,
        "releaseLabel": run.application.properties["releaseLabel"],
        "mode": run.request.get("mode", "BATCH"),
        "attempt": attempt.number,
    }


def as_summary(run: Run) -> dict[str, Any]:
    """The JobRunSummary of ListJobRuns."""
    attempt = run.attempt
    times = {"createdAt": run.created_at, "updatedAt": run.updated_at, "attemptCreatedAt": attempt.created_at}
    return _common(run, attempt) | {"id": run.id, "attemptUpdatedAt": attempt.updated_at, "type": "SPARK"} | times


def as_attempt(run: Run, attempt: Attempt) -> dict[str, Any]:
    """The JobRunAttemptSummary of ListJobRunAttempts."""
    times = {"jobCreatedAt": run.created_at, "createdAt": attempt.created_at, "updatedAt": attempt.updated_at}
    return _common(run, attempt) | {"id": run.id, "type": "SPARK"} | times


def as_answer(run: Run, number: int | None = None) -> dict[str, Any]:
    """The JobRun of GetJobRun for attempt `number` (default: the latest); ResourceNotFoundException if missing."""
    attempt = next((a for a in run.attempts if a.number == (number or run.attempt.number)), None)
    if attempt is None:
        raise ApiError("ResourceNotFoundException", f"JobRun {run.id} has no attempt {number}")
    copied = ("configurationOverrides", "jobDriver", "tags", "executionIamPolicy", "retryPolicy")
    times: dict[str, Any] = {"createdAt": run.created_at, "updatedAt": run.updated_at}
    times |= {"startedAt": run.started_at, "endedAt": run.ended_at}
    attempt_times = {"attemptCreatedAt": attempt.created_at, "attemptUpdatedAt": attempt.updated_at}
    timeout = {"executionTimeoutMinutes": run.request.get("executionTimeoutMinutes", DEFAULT_TIMEOUT_MINUTES)}
    echoed = {key: run.request[key] for key in copied if key in run.request}
    return _common(run, attempt) | {"jobRunId": run.id} | echoed | times | attempt_times | timeout | _cost(run)


def _cost(run: Run) -> dict[str, Any]:
    queued = ((run.started_at or run.ended_at or now()) - run.created_at).total_seconds()
    cost: dict[str, Any] = {"queuedDurationMilliseconds": int(queued * 1000)}
    if run.state not in FINAL:
        return cost
    if run.started_at:
        held = sizes(job_spec(run.id, run.request))
        cost["totalResourceUtilization"] = used(held, run.seconds).as_answer()
        cost["billedResourceUtilization"] = billed(held, run.seconds).as_answer()
    return cost | {"totalExecutionDurationSeconds": max(int(run.seconds), run.used_up)}
