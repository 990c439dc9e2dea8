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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config

from local.account import REGION, STACK
from local.clock import Clock
from local.delivery.dispatcher import Dispatcher
from local.delivery.schedules import schedule_input
from local.endpoint.server import Call, Endpoint
from local.lambda_runtime.api import SERVICE as LAMBDA
from local.lambda_runtime.api import LambdaApi
from local.lambda_runtime.functions import Functions, Response
from local.lambda_runtime.http_api import SCOPE, HttpApi
from local.stack.deploy import deploy
from local.stack.deployment import Deployment
from spark_jobs.archive import job_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from local.endpoint.containers import Containers

ROOT = Path(__file__).resolve().parent.parent
CREDENTIALS: dict[str, Any] = {
    "aws_access_key_id": "AKIALOCAL",
    "aws_secret_access_key": "local",
    "region_name": REGION,
}
_running = threading.Lock()  # moto's state belongs to the process: one cloud at a time


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
        self._clients: dict[str, Any] = {}
        self._clients_lock = threading.Lock()
        self._calls_lock = threading.Lock()
        self._dispatcher: Dispatcher | None = None
        self._http_api: HttpApi | None = None
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
            port=self._port,
            containers=self._containers,
        )
        self._endpoint.start()
        self._closers.append(self._endpoint.stop)
        apps.update(self._own_services() if self._apps is None else self._apps)
        self.deployment = deploy(
            self.template, self.client, parameters=self._parameters, stack=self._stack, built=self._built
        )
        self._upload_job_code()
        functions = Functions(self.deployment.functions, self.url, self.state_dir)
        self._closers.append(functions.stop)
        self._functions = functions
        dispatcher = Dispatcher(self.deployment, self.client, functions.invoke, self.clock)
        self._dispatcher = dispatcher
        dispatcher.start()
        self._http_api = apps[SCOPE] = HttpApi(self.deployment.routes, self.invoke)
        apps[LAMBDA] = LambdaApi(self.deployment, dispatcher.invoke, dispatcher.invoke_async)
        # Closers run last to first: accept no new events, end the handlers, then join the dispatcher's threads.
        self._closers.insert(-1, dispatcher.stop)
        self._closers.append(dispatcher.halt)

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

    def client(self, service: str) -> Any:
        """A boto3 client for this cloud; all threads share one client per service."""
        with self._clients_lock:
            if service not in self._clients:
                config = Config(max_pool_connections=32, retries={"total_max_attempts": 2})
                self._clients[service] = self.session.client(service, endpoint_url=self.url, config=config)
            return self._clients[service]

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
        if self._dispatcher is not None:
            self._dispatcher.wake(call.service, call.operation)

    def _unsigned(self, environ: WSGIEnvironment) -> str:
        return SCOPE if self._http_api and self._http_api.takes(environ) else ""

    def _put_events(self, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
        return self.dispatcher.bus.put_events(entries)

    def _emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        if self._dispatcher is not None:
            self._dispatcher.publish(source, detail_type, detail, resources)

    def _own_services(self) -> dict[str, WSGIApplication]:
        from local.emr_serverless.api import EmrServerlessApp
        from local.redshift.data_api import RedshiftDataApp
        from local.spark.runner import WarmRunner, Workspace

        emr = EmrServerlessApp(self._emit, WarmRunner(Workspace(self.state_dir, self.url)))
        self._closers.append(emr.stop)
        redshift = RedshiftDataApp(self._emit, self.state_dir / "warehouse.duckdb", lambda: self.client("s3"))
        self._closers.append(redshift.close)
        return {"emr-serverless": emr, "redshift-data": redshift}

    def _upload_job_code(self) -> None:
        root, entry = self.template.parent, self.template.parent / "spark_jobs" / "run_batch.py"
        if "ControlBucket" in self.deployment.resources and entry.is_file():
            bucket = self.deployment.resources["ControlBucket"].ref
            s3 = self.client("s3")
            s3.put_object(Bucket=bucket, Key="jobs/run_batch.py", Body=entry.read_bytes())
            s3.put_object(Bucket=bucket, Key="jobs/spark_jobs.zip", Body=job_archive(root))


def forget_everything() -> None:
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()
