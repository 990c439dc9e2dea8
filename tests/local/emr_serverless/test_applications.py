"""The life of an application."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.emr_serverless.conftest import ObedientRunner, reach, run_of, start
from tests.local.stand_ins import eventually


def test_the_application_may_allow_fewer_runs(emr: Any, runner: ObedientRunner) -> None:
    """maxConcurrentRuns of the application counts when it is below the runner's capacity."""
    scheduler = {"maxConcurrentRuns": 1}
    made = emr.create_application(releaseLabel="emr-7.14.0", type="SPARK", schedulerConfiguration=scheduler)
    first, second = (start(emr, made["applicationId"], token) for token in ("a", "b"))
    reach(emr, made["applicationId"], first, "RUNNING")
    assert run_of(emr, made["applicationId"], second)["state"] == "QUEUED"


def state_of(emr: Any, owner: str) -> str:
    return str(emr.get_application(applicationId=owner)["application"]["state"])


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """The code and the words with which the call is refused."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_an_application_lives_its_life(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """CREATED, STARTED by a call or a run, STOPPED, updated only at rest, TERMINATED."""
    assert state_of(emr, owner) == "CREATED"
    emr.start_application(applicationId=owner)
    assert state_of(emr, owner) == "STARTED"
    emr.stop_application(applicationId=owner)
    changed = emr.update_application(applicationId=owner, releaseLabel="emr-7.13.0")["application"]
    assert (state_of(emr, owner), changed["releaseLabel"]) == ("STOPPED", "emr-7.13.0")
    run = start(emr, owner)
    assert state_of(emr, owner) == "STARTED"
    runner.finish()
    reach(emr, owner, run, "SUCCESS")
    emr.stop_application(applicationId=owner)
    emr.delete_application(applicationId=owner)
    assert [a["state"] for a in emr.list_applications()["applications"]] == ["TERMINATED"]
    with pytest.raises(ClientError):
        start(emr, owner, "late")


def test_a_started_application_is_neither_updated_nor_deleted(emr: Any, owner: str) -> None:
    """AWS refuses in these words, though the application has no run."""
    emr.start_application(applicationId=owner)
    code, words = refusal(emr.update_application, applicationId=owner, releaseLabel="emr-7.13.0")
    assert code == "ValidationException"
    assert words.startswith("Only the following configurations can be updated when an application is in STARTED state:")
    assert refusal(emr.delete_application, applicationId=owner) == (
        "ValidationException",
        f"Application {owner} must be in one of the following statuses [CREATED, STOPPED]. Current status: STARTED",
    )


def test_a_started_application_takes_more_runs_and_capacity(emr: Any, owner: str) -> None:
    """These are the exceptions, unless another property comes with them."""
    emr.start_application(applicationId=owner)
    capacity = {"cpu": "32 vCPU", "memory": "128 GB"}
    runs = {"maxConcurrentRuns": 5}
    updated = emr.update_application(applicationId=owner, maximumCapacity=capacity, schedulerConfiguration=runs)
    assert updated["application"]["maximumCapacity"] == capacity
    for more in ({"architecture": "ARM64"}, {"schedulerConfiguration": {**runs, "queueTimeoutMinutes": 60}}):
        assert refusal(emr.update_application, applicationId=owner, maximumCapacity=capacity, **more)


def test_an_application_with_unfinished_runs_is_not_stopped(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """Once the run has ended, it is; and what is not started is not stopped either."""
    run = start(emr, owner)
    code, words = refusal(emr.stop_application, applicationId=owner)
    assert (code, "All scheduled and running jobs must be completed" in words) == ("ValidationException", True)
    runner.finish()
    reach(emr, owner, run, "SUCCESS")
    emr.stop_application(applicationId=owner)
    assert refusal(emr.stop_application, applicationId=owner) == (
        "ValidationException",
        "Application cannot be STOPPED. Applications must be in one of the following statuses: [STARTING, STARTED]",
    )


def test_an_idle_application_stops_by_itself(emr: Any, runner: ObedientRunner) -> None:
    """After its idle time, but not while a run is unfinished, and not if auto stop is off."""
    auto = {"enabled": True, "idleTimeoutMinutes": 1}
    asked = {"releaseLabel": "emr-7.14.0", "type": "SPARK"}
    idle, busy, awake = (
        str(emr.create_application(autoStopConfiguration=each, **asked)["applicationId"])
        for each in (auto, auto, {"enabled": False})
    )
    emr.start_application(applicationId=idle)
    emr.start_application(applicationId=awake)
    run = start(emr, busy)
    eventually(lambda: state_of(emr, idle) == "STOPPED")
    assert (state_of(emr, busy), state_of(emr, awake)) == ("STARTED", "STARTED")
    runner.finish()
    reach(emr, busy, run, "SUCCESS")
    eventually(lambda: state_of(emr, busy) == "STOPPED")


def test_tags_of_runs_and_applications(emr: Any, owner: str) -> None:
    """Tags are set, read and removed by ARN, whose slashes travel encoded in the path."""
    arn = emr.get_application(applicationId=owner)["application"]["arn"]
    run = run_of(emr, owner, start(emr, owner, tags={"batch": "1"}))["arn"]
    for resource, before in ((arn, {}), (run, {"batch": "1"})):
        emr.tag_resource(resourceArn=resource, tags={"team": "data"})
        assert emr.list_tags_for_resource(resourceArn=resource)["tags"] == before | {"team": "data"}
        emr.untag_resource(resourceArn=resource, tagKeys=["team"])
        assert emr.list_tags_for_resource(resourceArn=resource)["tags"] == before
