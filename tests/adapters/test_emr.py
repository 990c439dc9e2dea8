"""Job runs on EMR Serverless, with a client that answers by a script."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tidemark.adapters.emr import RUN_MINUTES_MAX, Engine, Run
from tidemark.core.errors import Transient

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def engine(**operations: Any) -> Engine:
    return Engine(SimpleNamespace(**operations), "app", "arn:role")


def refuses(code: str) -> Any:
    def call(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")

    return call


def start(engine: Engine) -> str:
    settings, tags = {"spark.a": "1"}, {"dataset": "web"}
    uris = ("s3://control/jobs/c0de", "s3://control/job_spec.json")
    return engine.start("web.t.1.1", "web.t.1-1", *uris, settings, tags, policy="{}")


def test_a_run_is_asked_for_whole() -> None:
    """Name and token, code, job spec, settings, tags, time limit and policy."""
    asked: list[dict[str, Any]] = []
    made = engine(start_job_run=lambda **request: asked.append(request) or {"jobRunId": "r1"})
    assert start(made) == "r1"
    [request] = asked
    assert (request["applicationId"], request["executionRoleArn"]) == ("app", "arn:role")
    assert (request["name"], request["clientToken"], request["tags"]) == ("web.t.1.1", "web.t.1-1", {"dataset": "web"})
    assert request["executionTimeoutMinutes"] == RUN_MINUTES_MAX
    assert request["executionIamPolicy"] == {"policy": "{}"}
    assert request["jobDriver"]["sparkSubmit"] == {
        "entryPoint": "s3://control/jobs/c0de/run_batch.py",
        "entryPointArguments": ["--spec", "s3://control/job_spec.json"],
        "sparkSubmitParameters": "--py-files s3://control/jobs/c0de/spark_jobs.zip "
        "--conf spark.archives=s3://control/jobs/c0de/python.tar.gz#python --conf spark.a=1",
    }


def test_an_sdk_that_does_not_know_the_policy_starts_the_run_without_it() -> None:
    """Lambda brings its own SDK along, which may be older; the role alone limits the run then."""
    asked: list[dict[str, Any]] = []

    def start_job_run(**request: Any) -> dict[str, Any]:
        asked.append(request)
        if "executionIamPolicy" in request:
            raise ParamValidationError(report='Unknown parameter in input: "executionIamPolicy"')
        return {"jobRunId": "r1"}

    assert start(engine(start_job_run=start_job_run)) == "r1"
    assert [sorted(set(request) & {"executionIamPolicy", "name"}) for request in asked] == [
        ["executionIamPolicy", "name"],
        ["name"],
    ]


@pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException"])
def test_a_throttled_start_is_tried_again_later(code: str) -> None:
    """Any other refusal is an error of its own."""
    with pytest.raises(Transient, match=code):
        start(engine(start_job_run=refuses(code)))
    with pytest.raises(ClientError, match="ValidationException"):
        start(engine(start_job_run=refuses("ValidationException")))


def test_a_run_is_found_by_its_whole_name_on_any_page() -> None:
    """Made after the moment that is given, less a minute, since clocks differ."""
    pages = {
        None: {"jobRuns": [{"id": "r3", "name": "web.t.1.12"}, {"id": "r2"}], "nextToken": "2"},
        "2": {"jobRuns": [{"id": "r1", "name": "web.t.1.1"}]},
    }
    asked: list[dict[str, Any]] = []

    def list_job_runs(**request: Any) -> Any:
        asked.append(dict(request))
        return pages[request.get("nextToken")]

    made = engine(list_job_runs=list_job_runs)
    assert made.find("web.t.1.1", NOON) == "r1"
    assert made.find("web.t.1", NOON) is None
    assert {request["createdAtAfter"] for request in asked} == {NOON - timedelta(minutes=1)}


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ({}, 0.0),
        ({"startedAt": NOON, "endedAt": NOON + timedelta(seconds=90)}, 90.0),
        ({"totalExecutionDurationSeconds": 60, "startedAt": NOON, "endedAt": NOON + timedelta(seconds=90)}, 60.0),
    ],
)
def test_a_run_says_how_it_is_and_how_long_it_ran(answer: dict[str, Any], seconds: float) -> None:
    """EMR's own figure counts before the difference of two moments; a run that never began has neither."""
    run = {"name": "web.t.1.1", "state": "FAILED", "stateDetails": "bad", "executionTimeoutMinutes": 7, **answer}
    made = engine(get_job_run=lambda **_: {"jobRun": run})
    assert made.run("r1") == Run("r1", "web.t.1.1", "FAILED", "bad", seconds, 7)


def test_an_unknown_run_is_none() -> None:
    """Only what EMR does not know; other errors are no answer."""
    assert engine(get_job_run=refuses("ResourceNotFoundException")).run("r1") is None
    with pytest.raises(ClientError, match="AccessDenied"):
        engine(get_job_run=refuses("AccessDeniedException")).run("r1")


@pytest.mark.parametrize(
    ("state", "active", "succeeded"),
    [("SUBMITTED", True, False), ("QUEUED", True, False), ("CANCELLING", True, False), ("SUCCESS", False, True),
     ("FAILED", False, False), ("CANCELLED", False, False)],
)  # fmt: skip
def test_a_state_says_whether_the_run_goes_on(state: str, active: bool, succeeded: bool) -> None:
    """A run that is being cancelled may still write."""
    run = Run("r1", "web.t.1.1", state, "")
    assert (run.active, run.succeeded) == (active, succeeded)


def test_unfinished_runs_are_found_on_every_page() -> None:
    """Of any age, in every state that is not final; a run may have no name."""
    pages = {
        None: {"jobRuns": [{"id": "r1", "name": "web.t.1.1"}], "nextToken": "2"},
        "2": {"jobRuns": [{"id": "r2"}]},
    }
    asked: list[dict[str, Any]] = []

    def list_job_runs(nextToken: str | None = None, **request: Any) -> Any:  # noqa: N803
        asked.append(request)
        return pages[nextToken]

    assert engine(list_job_runs=list_job_runs).unfinished() == ["web.t.1.1", "r2"]
    assert set(asked[0]["states"]) >= {"SUBMITTED", "QUEUED", "RUNNING", "CANCELLING"}
    assert not {"SUCCESS", "FAILED", "CANCELLED"} & set(asked[0]["states"])


@pytest.mark.parametrize(
    ("state", "stopped", "at_rest"),
    [
        ("STARTED", True, False),
        ("STARTING", True, False),
        ("STOPPING", False, False),
        ("STOPPED", False, True),
        ("CREATED", False, True),
    ],
)
def test_an_application_is_stopped_where_that_is_possible(state: str, stopped: bool, at_rest: bool) -> None:
    """EMR refuses to stop one that is not started."""
    asked: list[str] = []
    made = engine(
        get_application=lambda applicationId: {"application": {"state": state}},  # noqa: N803
        stop_application=lambda **request: asked.append(request["applicationId"]),
    )
    assert made.stop_application() is at_rest
    assert asked == ["app"] * stopped


def test_an_application_with_a_run_is_stopped_later() -> None:
    """The run may be another person's."""
    started = {"application": {"state": "STARTED"}}
    with pytest.raises(Transient):
        engine(get_application=lambda **_: started, stop_application=refuses("ValidationException")).stop_application()
    with pytest.raises(ClientError):
        engine(get_application=lambda **_: started, stop_application=refuses("AccessDenied")).stop_application()
