"""An EMR Serverless whose runner does what a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emr_serverless.api import EmrServerlessApp
from local.spark.runner import JobSpec, Outcome
from tests.local.stand_ins import Events, client, eventually, served

ROLE = "arn:aws:iam::123456789012:role/JobRole"


JOB = {
    "sparkSubmit": {
        "entryPoint": "s3://control/jobs/run_batch.py",
        "entryPointArguments": ["--spec", "s3://control/job_spec.json"],
        "sparkSubmitParameters": "--conf spark.driver.cores=1 --conf spark.driver.memory=3g "
        "--conf spark.executor.cores=1 --conf spark.executor.memory=3g --conf spark.executor.instances=1",
    }
}


class ObedientRunner:
    """Ends a job when the test says how; remembers what it was given."""

    capacity = 2

    def __init__(self) -> None:
        self.jobs: list[JobSpec] = []
        self.go = threading.Semaphore(0)
        self.outcomes: list[Outcome] = []

    def run(self, job: JobSpec, cancelled: threading.Event) -> Outcome:
        self.jobs.append(job)
        while not self.go.acquire(timeout=0.005):
            if cancelled.is_set():
                return Outcome(143, "terminated")
        return self.outcomes.pop(0) if self.outcomes else Outcome(0)

    def stop(self) -> None:
        pass

    def finish(self, *outcomes: Outcome) -> None:
        self.outcomes.extend(outcomes)
        for _ in outcomes or [None]:
            self.go.release()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def runner() -> ObedientRunner:
    return ObedientRunner()


@pytest.fixture
def app(events: Events, runner: ObedientRunner) -> Iterator[EmrServerlessApp]:
    app = EmrServerlessApp(events, runner, minute=0.05)
    yield app
    app.stop()


@pytest.fixture
def emr(app: EmrServerlessApp) -> Iterator[Any]:
    with served(app) as url:
        yield client("emr-serverless", url)


@pytest.fixture
def owner(emr: Any) -> str:
    return str(emr.create_application(name="spark", releaseLabel="emr-7.14.0", type="SPARK")["applicationId"])


def start(emr: Any, owner: str, token: str = "batch-1", **more: Any) -> str:
    asked = {"executionRoleArn": ROLE, "jobDriver": JOB, "name": "batch.1"} | more
    return str(emr.start_job_run(applicationId=owner, clientToken=token, **asked)["jobRunId"])


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def run_of(emr: Any, owner: str, run: str, **more: Any) -> dict[str, Any]:
    return dict(emr.get_job_run(applicationId=owner, jobRunId=run, **more)["jobRun"])


def reach(emr: Any, owner: str, run: str, state: str) -> dict[str, Any]:
    eventually(lambda: run_of(emr, owner, run)["state"] == state)
    return run_of(emr, owner, run)
