"""The laptop cloud: the real template and the real handlers on one loopback endpoint.

with Cloud() as cloud:
    cloud.client("s3").upload_file("sample.json.gz", cloud.settings["RAW_BUCKET"], "web_logs/sample.json.gz")
    cloud.wait_idle(60)
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config

from local.account import REGION, STACK
from local.clock import Clock
from local.delivery.dispatcher import Dispatcher
from local.delivery.event_bus import Event, envelope, put_events
from local.delivery.schedules import schedule_input
from local.endpoint.server import Call, Endpoint
from local.iam import recording
from local.iam.guard import Guard
from local.lambda_runtime.api import SERVICE as LAMBDA
from local.lambda_runtime.api import LambdaApi
from local.lambda_runtime.functions import Functions, Response
from local.lambda_runtime.http_api import SCOPE, HttpApi
from local.stack.deploy import delete, deploy
from local.stack.deployment import Deployment
from local.stack.inventory import Inventory
from spark_jobs.archive import job_files
from tidemark.adapters.redshift import Connection, Warehouse
from tidemark.core.job_code import CURRENT, ENTRY, CurrentCode, code_hash, code_prefix
from tidemark.service.grant import grant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from local.endpoint.containers import Containers
    from local.redshift.data_api import RedshiftDataApp

ROOT = Path(__file__).resolve().parent.parent
CREDENTIALS: dict[str, Any] = {
    "aws_access_key_id": "AKIALOCAL",
    "aws_secret_access_key": "local",
    "region_name": REGION,
}
_running = threading.Lock()  # moto's state belongs to the process: one cloud at a time


@dataclass(frozen=True)
class RunningStack:
    """A deployed stack, the processes of its functions, and what delivers events to them."""

    deployment: Deployment
    functions: Functions
    dispatcher: Dispatcher
    state_dir: Path

    def stop(self) -> None:
        """Accepts no new events, ends the handlers, then joins the dispatcher's threads."""
        self.dispatcher.halt()
        self.functions.stop()
        self.dispatcher.stop()


class Cloud:
    """Deploys `template` on start and discards all state on stop.

    `apps` maps SigV4 service names to WSGI apps and replaces Tidemark's own stand-ins. `built` runs the functions
    from `.aws-sam/build` instead of their source. For `speed` and `schedules`, see Clock. `containers` lets them in.
    """

    def __init__(
        self,
        template: Path = ROOT / "template.yaml",
        *,
        state_dir: Path | None = None,
        parameters: Mapping[str, str] | None = None,
        stack: str = STACK,
        built: bool = False,
        speed: float = 1.0,
        schedules: bool = True,
        port: int = 0,
        apps: Mapping[str, WSGIApplication] | None = None,
        containers: Containers | None = None,
    ) -> None:
        self.template = template
        self.state_dir = state_dir or Path(tempfile.mkdtemp(prefix="tidemark-"))
        self.clock = Clock(speed, schedules=schedules)
        self.calls: Counter[Call] = Counter()  #: calls that the endpoint answered
        self.deployment: Deployment
        self._parameters, self._stack, self._built, self._port = parameters, stack, built, port
        self._apps, self._containers = apps, containers
        self.session: Any = boto3.session.Session(**CREDENTIALS)
        self.guard = Guard()
        self._clients: dict[tuple[str, str], Any] = {}
        self._clients_lock = threading.Lock()
        self._calls_lock = threading.Lock()
        self.inventory = Inventory()  #: the names that are taken in the account
        self._running_stacks: list[RunningStack] = []
        self._dispatcher: Dispatcher | None = None
        self._http_api: HttpApi | None = None
        self._warehouse: RedshiftDataApp | None = None
        self._closers: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        if not _running.acquire(blocking=False):
            raise RuntimeError("a laptop cloud is already running in this process")
        self._closers.append(_running.release)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        forget_everything()
        apps: dict[str, WSGIApplication] = {}  # filled below, because the apps need the endpoint's address
        self._endpoint = Endpoint(
            apps,
            self._put_events,
            on_call=self._on_call,
            unsigned=self._unsigned,
            guard=self.guard,
            port=self._port,
            containers=self._containers,
        )
        self._endpoint.start()
        self._closers.append(self._endpoint.stop)
        apps.update(self._own_services() if self._apps is None else self._apps)
        self._closers.append(self._stop_stacks)
        stack = self.add_stack(self._stack, self._parameters)
        self.deployment, self._functions, self._dispatcher = stack.deployment, stack.functions, stack.dispatcher
        self._upload_job_code()
        self._grant()
        self.guard.deployed(self.deployment, self._issuer)
        self._closers.append(self._record_permissions)
        self._http_api = apps[SCOPE] = HttpApi(self.deployment.routes, self.invoke)
        apps[LAMBDA] = LambdaApi(self.deployment, self.dispatcher.invoke, self.dispatcher.invoke_async)

    def add_stack(
        self, stack: str, parameters: Mapping[str, str] | None = None, *, adopt: bool = False
    ) -> RunningStack:
        """Deploys the template as another stack of the same account and starts it. Its HTTP API is not served.

        Its functions' logs are in a folder of the stack's name. Permissions are enforced for the first stack only; the
        functions of others call as an administrator. For `adopt`, see `deploy`.
        """
        deployment = deploy(
            self.template, self.client, parameters=parameters, stack=stack, built=self._built,
            inventory=self.inventory, adopt=adopt,
        )  # fmt: skip
        if self._running_stacks:
            state_dir = self.state_dir / stack
            functions = Functions(deployment.functions, self.url, state_dir, lambda _: CREDENTIALS["aws_access_key_id"])
            dispatcher = Dispatcher(deployment, self._as_administrator, functions.invoke, self.clock)
        else:
            state_dir = self.state_dir
            functions = Functions(deployment.functions, self.url, state_dir)
            dispatcher = Dispatcher(deployment, self.client, functions.invoke, self.clock, self.guard.require)
        running = RunningStack(deployment, functions, dispatcher, state_dir)
        self._running_stacks.append(running)
        dispatcher.start()
        return running

    def delete_stack(self, stack: RunningStack) -> None:
        """Stops a stack and deletes its resources, except those that outlive it."""
        self._running_stacks.remove(stack)
        stack.stop()
        delete(stack.deployment, self.client, self.inventory)

    def _stop_stacks(self) -> None:
        while self._running_stacks:
            self._running_stacks.pop().stop()

    def stop(self) -> None:
        """Stops everything at once and kills running handlers and jobs."""
        while self._closers:
            self._closers.pop()()

    @property
    def url(self) -> str:
        """The endpoint's URL, for AWS_ENDPOINT_URL."""
        return self._endpoint.url

    @property
    def container_url(self) -> str:
        """The endpoint's URL within a container that is let in."""
        return self._endpoint.container_url

    @cached_property
    def settings(self) -> dict[str, str]:
        """The settings that the command line reads from the stack's SSM parameter."""
        answer = self.client("ssm").get_parameter(Name=f"/{self._stack}/settings")
        return dict(json.loads(answer["Parameter"]["Value"]))

    @property
    def dispatcher(self) -> Dispatcher:
        assert self._dispatcher is not None, "the cloud has not started"
        return self._dispatcher

    def client(self, service: str, caller: str = "") -> Any:
        """A boto3 client for this cloud; all threads share one client per service and caller.

        `caller` is the logical id of the function, role or managed policy that calls; by default an administrator.
        """
        with self._clients_lock:
            if (service, caller) not in self._clients:
                keys = CREDENTIALS | {"aws_access_key_id": CREDENTIALS["aws_access_key_id"] + caller}
                config = Config(max_pool_connections=32, retries={"total_max_attempts": 2})
                self._clients[service, caller] = self.session.client(
                    service, endpoint_url=self.url, config=config, **keys
                )
            return self._clients[service, caller]

    def _as_administrator(self, service: str, _caller: str = "") -> Any:
        return self.client(service)

    def invoke(self, function: str, event: Any) -> Response:
        """Runs a function, given by logical id, name or ARN, and waits for its outcome."""
        return self.dispatcher.invoke(self.deployment.function(function).logical_id, event)

    def fire(self, function: str, payload: Any = None) -> Response:
        """Runs a function with `payload` (default: its schedule's input at the current time) and waits."""
        spec = self.deployment.function(function)
        if payload is None:
            schedule = next((s for s in self.deployment.schedules if s.target.arn == spec.arn), None)
            if schedule is None:
                raise KeyError(f"{spec.logical_id} has no schedule: give a payload")
            payload = schedule_input(schedule, self.clock.now())
        return self.invoke(spec.logical_id, payload)

    def idle(self) -> bool:
        return self.dispatcher.idle()

    def wait_idle(self, timeout: float) -> None:
        """Waits until no delivery or invocation is pending; TimeoutError after `timeout` seconds.

        Job runs and SQL statements may still be running.
        """
        self.dispatcher.wait_idle(timeout)

    def _on_call(self, call: Call) -> None:
        with self._calls_lock:
            self.calls[call] += 1
        for stack in list(self._running_stacks):
            stack.dispatcher.wake(call.service, call.operation)

    def _unsigned(self, environ: WSGIEnvironment) -> str:
        return SCOPE if self._http_api and self._http_api.takes(environ) else ""

    def _put_events(self, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
        return put_events(entries, self._publish)

    def _emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        self._publish(envelope(source, detail_type, detail, resources))

    def _publish(self, event: Event) -> None:
        """All stacks of the account share its default bus."""
        for stack in list(self._running_stacks):
            stack.dispatcher.bus.publish(event)

    def _own_services(self) -> dict[str, WSGIApplication]:
        from local.emr_serverless.api import EmrServerlessApp
        from local.redshift.data_api import RedshiftDataApp
        from local.redshift.serverless import serverless_app
        from local.spark.runner import WarmRunner, Workspace

        emr = EmrServerlessApp(
            self._emit, WarmRunner(Workspace(self.state_dir, self.url)), in_session=self.guard.session
        )
        self._closers.append(emr.stop)
        warehouse = self.state_dir / "warehouse.duckdb"
        redshift = RedshiftDataApp(self._emit, warehouse, self._copy_client)
        self._warehouse = redshift
        self._closers.append(redshift.close)
        return {"emr-serverless": emr, "redshift-data": redshift, "redshift-serverless": serverless_app()}

    def _grant(self) -> None:
        """Grants what `tidemark deploy` grants to a new stack, so that the first load may create its schema."""
        if "Warehouse" in self.deployment.resources and self._apps is None:
            settings = self.settings
            connection = Connection(settings["WAREHOUSE_DATABASE"], settings["WAREHOUSE_WORKGROUP"])
            warehouse = Warehouse(self.client("redshift-data"), connection, self._stack)
            grant(warehouse, self.client("redshift-serverless"), settings["WAREHOUSE_LOADER"])

    def _record_permissions(self) -> None:
        recording.append(self.guard.uses, self.template, self.deployment, self._parameters or {})

    def _copy_client(self, role_arn: str) -> Any:
        return self.client("s3", self.guard.name_of(role_arn))

    def _issuer(self, statement_id: str) -> str | None:
        return self._warehouse.issuer(statement_id) if self._warehouse else None

    def _upload_job_code(self) -> None:
        """Uploads the code as `tidemark jobs upload` does, but without packages, which this Python has."""
        root = self.template.parent
        if "ControlBucket" in self.deployment.resources and (root / "spark_jobs" / ENTRY).is_file():
            bucket, files = self.deployment.resources["ControlBucket"].ref, job_files(root)
            code, s3 = code_hash(files), self.client("s3")
            for name, content in files.items():
                s3.put_object(Bucket=bucket, Key=f"{code_prefix(code)}{name}", Body=content)
            current = CurrentCode(code, self.clock.now().isoformat())
            s3.put_object(Bucket=bucket, Key=CURRENT, Body=current.dumps().encode())


def forget_everything() -> None:
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()
