"""A job run from PENDING to its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emr_serverless.api import EmrServerlessApp
from local.spark.runner import Outcome
from tests.local.emr_serverless.conftest import ROLE, ObedientRunner, code, reach, run_of, start
from tests.local.stand_ins import Events, client, served
from tidemark.adapters.emr import Engine
from tidemark.core.failures import engine_failure
from tidemark.core.job import RunFailure

STATE_CHANGE = "EMR Serverless Job Run State Change"


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
    engine = Engine(emr, owner, ROLE)
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


def test_a_job_runs_in_a_session_of_its_role_and_policy(events: Events, runner: ObedientRunner) -> None:
    """The session begins before the job and ends after it; without a policy, the role alone decides."""
    sessions: list[Any] = []

    @contextmanager
    def in_session(role: str, policy: str | None) -> Iterator[None]:
        sessions.append((role, policy, len(runner.jobs)))
        yield
        sessions.append("ended")

    app = EmrServerlessApp(events, runner, in_session=in_session)
    with served(app) as url:
        emr = client("emr-serverless", url)
        owner = emr.create_application(name="spark", releaseLabel="emr-7.14.0", type="SPARK")["applicationId"]
        for token, more in (("a", {"executionIamPolicy": {"policy": "{}"}}), ("b", {})):
            run = start(emr, owner, token, **more)
            reach(emr, owner, run, "RUNNING")
            runner.finish()
            reach(emr, owner, run, "SUCCESS")
    app.stop()
    assert sessions == [(ROLE, "{}", 0), "ended", (ROLE, None, 1), "ended"]


@pytest.mark.parametrize(
    "policy", [{"policy": "Allow all"}, {"policyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}]
)
def test_an_execution_policy_that_is_no_json_or_not_supported_is_refused(
    emr: Any, owner: str, policy: dict[str, Any]
) -> None:
    """The run does not start with wider permissions than it was meant to have."""
    with pytest.raises(ClientError) as refused:
        start(emr, owner, executionIamPolicy=policy)
    assert code(refused) == "ValidationException"
