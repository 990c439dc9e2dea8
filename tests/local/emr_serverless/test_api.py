"""EMR Serverless stand-in, driven by boto3; a runner under the test's control simulates the jobs."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emr_serverless.api import EmrServerlessApp
from tests.local.emr_serverless.conftest import JOB, ROLE, ObedientRunner, code, start
from tests.local.stand_ins import eventually


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
