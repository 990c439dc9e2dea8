"""EMR Serverless stand-in, driven by boto3; a runner under the test's control simulates the jobs."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emr_serverless.api import EmrServerlessApp
from local.spark.runner import JobSpec, Outcome
from tests.local.stand_ins import Events, client, eventually, served
from tidemark.adapters.emr import Engine
from tidemark.core.failures import engine_failure
from tidemark.core.job import RunFailure

ROLE = "arn:aws:iam::123456789012:role/JobRole"
JOB = {
    "sparkSubmit": {
        "entryPoint": "s3://control/jobs/run_batch.py",
        "entryPointArguments": ["--spec", "s3://control/job_spec.json"],
        "sparkSubmitParameters": "--conf spark.driver.cores=1 --conf spark.driver.memory=3g "
        "--conf spark.executor.cores=1 --conf spark.executor.memory=3g --conf spark.executor.instances=1",
    }
}
STATE_CHANGE = "EMR Serverless Job Run State Change"


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


def run_of(emr: Any, owner: str, run: str, **more: Any) -> dict[str, Any]:
    return dict(emr.get_job_run(applicationId=owner, jobRunId=run, **more)["jobRun"])


def reach(emr: Any, owner: str, run: str, state: str) -> dict[str, Any]:
    eventually(lambda: run_of(emr, owner, run)["state"] == state)
    return run_of(emr, owner, run)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_run_goes_through_all_states_to_success(emr: Any, owner: str, runner: ObedientRunner, events: Events) -> None:
    """A run passes PENDING, SCHEDULED and RUNNING, with one event per change that has AWS's members."""
    run = start(emr, owner)
    reach(emr, owner, run, "RUNNING")
    runner.finish()
    done = reach(emr, owner, run, "SUCCESS")

    details = events.details(STATE_CHANGE)
    changes = [(d["previousState"], d["state"]) for d in details]
    states = ["SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "SUCCESS"]
    assert changes == list(pairwise(states))
    members = "jobRunId applicationId arn releaseLabel state previousState createdBy updatedAt createdAt"
    assert all(set(d) == set(members.split()) for d in details)
    assert details[0]["createdBy"] == "arn:aws:sts::123456789012:assumed-role/SubmitRole/local"
    assert done["name"] == "batch.1"
    assert done["endedAt"] >= done["startedAt"] >= done["createdAt"]


def test_the_runner_gets_the_job_as_it_was_asked_for(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """Entry point, arguments, parameters and spark-defaults reach the runner unchanged."""
    overrides = {"applicationConfiguration": [{"classification": "spark-defaults", "properties": {"spark.x": "1"}}]}
    start(emr, owner, configurationOverrides=overrides)
    job = eventually(lambda: runner.jobs)[0]
    assert job.entry_point == "s3://control/jobs/run_batch.py"
    assert job.arguments == ("--spec", "s3://control/job_spec.json")
    assert job.parameters[:2] == ("--conf", "spark.driver.cores=1")
    assert job.properties == {"spark.x": "1"}


def test_the_same_token_is_the_same_run(emr: Any, owner: str, app: EmrServerlessApp) -> None:
    """A client token starts only one run, even if it is sent repeatedly, until AWS forgets it."""
    first = start(emr, owner, "token")
    assert start(emr, owner, "token") == first
    app.forget_client_tokens()
    assert start(emr, owner, "token") != first


def test_the_same_token_with_other_parameters_is_a_conflict(emr: Any, owner: str) -> None:
    """A client token cannot stand for two different runs."""
    start(emr, owner, "token")
    with pytest.raises(ClientError) as error:
        start(emr, owner, "token", name="another")
    assert code(error) == "ConflictException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_concurrent_starts_with_one_token_make_one_run(emr: Any, owner: str) -> None:
    """Twelve simultaneous calls with one token agree on one run."""
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(start(emr, owner, "race"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert len(set(found)) == 1


def test_a_failure_tells_the_end_of_the_error(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """State details hold EMR's sentence and the error's tail, in at most 256 characters."""
    run = start(emr, owner)
    runner.finish(Outcome(3, "long story " * 100 + "ValueError: no such column"))
    details = reach(emr, owner, run, "FAILED")["stateDetails"]
    assert details.startswith("Job failed, please check complete logs")
    assert "ExitCode: 3" in details
    assert details.endswith("ValueError: no such column")
    assert len(details) == 256


def test_runs_beyond_the_capacity_are_queued(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """With room for two, the third run is QUEUED until one ends."""
    runs = [start(emr, owner, f"t{i}") for i in range(3)]
    for run in runs[:2]:
        reach(emr, owner, run, "RUNNING")
    assert run_of(emr, owner, runs[2])["state"] == "QUEUED"
    runner.finish()
    reach(emr, owner, runs[2], "RUNNING")


def test_the_application_may_allow_fewer_runs(emr: Any, runner: ObedientRunner) -> None:
    """maxConcurrentRuns of the application counts when it is below the runner's capacity."""
    scheduler = {"maxConcurrentRuns": 1}
    made = emr.create_application(releaseLabel="emr-7.14.0", type="SPARK", schedulerConfiguration=scheduler)
    first, second = (start(emr, made["applicationId"], token) for token in ("a", "b"))
    reach(emr, made["applicationId"], first, "RUNNING")
    assert run_of(emr, made["applicationId"], second)["state"] == "QUEUED"


def test_cancelling_ends_a_running_job(emr: Any, owner: str, events: Events) -> None:
    """A cancelled run goes through CANCELLING to CANCELLED and cannot be cancelled again."""
    run = start(emr, owner)
    reach(emr, owner, run, "RUNNING")
    emr.cancel_job_run(applicationId=owner, jobRunId=run)
    reach(emr, owner, run, "CANCELLED")
    assert [d["state"] for d in events.details(STATE_CHANGE)][-2:] == ["CANCELLING", "CANCELLED"]
    with pytest.raises(ClientError) as error:
        emr.cancel_job_run(applicationId=owner, jobRunId=run)
    assert code(error) == "ValidationException"


def test_a_queued_run_can_be_cancelled(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """Cancelling a queued run never starts it."""
    runs = [start(emr, owner, f"t{i}") for i in range(3)]
    emr.cancel_job_run(applicationId=owner, jobRunId=runs[2])
    assert run_of(emr, owner, runs[2])["state"] == "CANCELLED"
    runner.finish(Outcome(0), Outcome(0))
    for run in runs[:2]:
        reach(emr, owner, run, "SUCCESS")
    assert len(runner.jobs) == 2


def test_a_run_that_takes_too_long_is_cancelled(emr: Any, owner: str) -> None:
    """executionTimeoutMinutes ends in CANCELLED and says why; the run's figures show that it used its time up."""
    run = start(emr, owner, executionTimeoutMinutes=1)
    ended = reach(emr, owner, run, "CANCELLED")
    assert "executionTimeoutMinutes" in ended["stateDetails"]
    assert ended["executionTimeoutMinutes"] == 1
    assert ended["totalExecutionDurationSeconds"] >= 60


def test_the_product_knows_a_run_that_used_its_time_up_from_one_that_a_person_stopped(
    emr: Any, owner: str, app: EmrServerlessApp
) -> None:
    """Both end CANCELLED; only the first says that its batch is too slow."""
    engine = Engine(emr, owner, ROLE, "s3://control/jobs")
    slow, stopped = start(emr, owner, executionTimeoutMinutes=1), start(emr, owner, "batch-2")
    reach(emr, owner, stopped, "RUNNING")
    emr.cancel_job_run(applicationId=owner, jobRunId=stopped)
    kinds = []
    for run_id in (slow, stopped):
        reach(emr, owner, run_id, "CANCELLED")
        run = engine.run(run_id)
        assert run
        kinds.append(engine_failure(run.state, "", run.seconds, run.minutes_max))
    assert kinds[0] == RunFailure("the run did not finish within 1 minutes", "slow")
    assert kinds[1].kind == "transient"


def test_a_failed_attempt_is_retried(emr: Any, owner: str, runner: ObedientRunner, events: Events) -> None:
    """With maxAttempts 2 a first failure starts a second attempt; the run itself never says FAILED in between."""
    run = start(emr, owner, retryPolicy={"maxAttempts": 2})
    runner.finish(Outcome(1, "IOException: busy"), Outcome(0))
    assert reach(emr, owner, run, "SUCCESS")["attempt"] == 2
    assert run_of(emr, owner, run, attempt=1)["state"] == "FAILED"
    attempts = emr.list_job_run_attempts(applicationId=owner, jobRunId=run)["jobRunAttempts"]
    assert [(a["attempt"], a["state"]) for a in attempts] == [(2, "SUCCESS"), (1, "FAILED")]
    assert "FAILED" not in [d["state"] for d in events.details(STATE_CHANGE)]
    assert events.details("EMR Serverless Job Run Retry")[0]["newAttempt"] == 2


def test_a_short_run_is_billed_a_minute_per_worker(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """A short run of two workers with 1 vCPU and 3 GB (+384 MB) costs 2/60 vCPU hours and 6.75/60 GB hours."""
    run = start(emr, owner)
    runner.finish()
    done = reach(emr, owner, run, "SUCCESS")
    assert done["billedResourceUtilization"] == {"vCPUHour": 0.033, "memoryGBHour": 0.113, "storageGBHour": 0.0}
    assert done["totalResourceUtilization"]["vCPUHour"] == 0.0
    assert done["totalExecutionDurationSeconds"] == 0


def test_runs_are_listed_latest_first_by_page_state_and_time(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """ListJobRuns filters by state and creation time and pages without loss."""
    runs = [start(emr, owner, f"t{i}", name=f"n{i}") for i in range(5)]
    pages = emr.get_paginator("list_job_runs").paginate(applicationId=owner, PaginationConfig={"PageSize": 2})
    assert [run["id"] for page in pages for run in page["jobRuns"]] == runs[::-1]
    queued = emr.list_job_runs(applicationId=owner, states=["QUEUED"])["jobRuns"]
    assert [run["name"] for run in queued] == ["n4", "n3", "n2"]
    soon = datetime.now(UTC) + timedelta(seconds=5)
    assert emr.list_job_runs(applicationId=owner, createdAtAfter=soon)["jobRuns"] == []
    assert len(emr.list_job_runs(applicationId=owner, createdAtBefore=soon)["jobRuns"]) == 5


def test_unknown_runs_and_applications_are_not_found(emr: Any, owner: str) -> None:
    """Both answer ResourceNotFoundException with status 404."""
    for ids in ({"applicationId": owner, "jobRunId": "0nope"}, {"applicationId": "0nope", "jobRunId": "0nope"}):
        with pytest.raises(ClientError) as error:
            emr.get_job_run(**ids)
        assert code(error) == "ResourceNotFoundException"
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_an_application_lives_its_life(emr: Any, owner: str) -> None:
    """CREATED, STARTED by a call or a run, STOPPED, updated only at rest, TERMINATED."""

    def state() -> str:
        return str(emr.get_application(applicationId=owner)["application"]["state"])

    assert state() == "CREATED"
    emr.start_application(applicationId=owner)
    assert state() == "STARTED"
    with pytest.raises(ClientError):
        emr.update_application(applicationId=owner, releaseLabel="emr-7.13.0")
    emr.stop_application(applicationId=owner)
    changed = emr.update_application(applicationId=owner, releaseLabel="emr-7.13.0")["application"]
    assert (state(), changed["releaseLabel"]) == ("STOPPED", "emr-7.13.0")
    start(emr, owner)
    assert state() == "STARTED"
    emr.stop_application(applicationId=owner)
    emr.delete_application(applicationId=owner)
    assert [a["state"] for a in emr.list_applications()["applications"]] == ["TERMINATED"]
    with pytest.raises(ClientError):
        start(emr, owner, "late")


def test_tags_of_runs_and_applications(emr: Any, owner: str) -> None:
    """Tags are set, read and removed by ARN, whose slashes travel encoded in the path."""
    arn = emr.get_application(applicationId=owner)["application"]["arn"]
    run = run_of(emr, owner, start(emr, owner, tags={"batch": "1"}))["arn"]
    for resource, before in ((arn, {}), (run, {"batch": "1"})):
        emr.tag_resource(resourceArn=resource, tags={"team": "data"})
        assert emr.list_tags_for_resource(resourceArn=resource)["tags"] == before | {"team": "data"}
        emr.untag_resource(resourceArn=resource, tagKeys=["team"])
        assert emr.list_tags_for_resource(resourceArn=resource)["tags"] == before


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"clientToken": "x" * 65}, "length less than or equal to 64"),
        ({"clientToken": "a b"}, "regular expression pattern"),
        ({"executionRoleArn": "arn:aws:iam::1:user/x-and-more"}, "regular expression pattern"),
        ({"jobDriver": {"sparkSubmit": JOB["sparkSubmit"] | {"sparkSubmitParameters": "'open"}}}, "closing quotation"),
        ({"jobDriver": {"hive": {"query": "select 1"}}}, "sparkSubmit is required"),
    ],
)  # fmt: skip
def test_what_aws_would_refuse_is_refused(emr: Any, owner: str, asked: dict[str, Any], words: str) -> None:
    """Constraints that boto3 does not check itself are checked by the stand-in."""
    good = {"clientToken": "t", "executionRoleArn": ROLE, "jobDriver": JOB}
    with pytest.raises(ClientError, match=words) as error:
        emr.start_job_run(applicationId=owner, **(good | asked))
    assert code(error) == "ValidationException"
