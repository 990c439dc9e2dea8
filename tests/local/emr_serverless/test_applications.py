"""The life of an application."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.emr_serverless.conftest import ObedientRunner, reach, run_of, start


def test_the_application_may_allow_fewer_runs(emr: Any, runner: ObedientRunner) -> None:
    """maxConcurrentRuns of the application counts when it is below the runner's capacity."""
    scheduler = {"maxConcurrentRuns": 1}
    made = emr.create_application(releaseLabel="emr-7.14.0", type="SPARK", schedulerConfiguration=scheduler)
    first, second = (start(emr, made["applicationId"], token) for token in ("a", "b"))
    reach(emr, made["applicationId"], first, "RUNNING")
    assert run_of(emr, made["applicationId"], second)["state"] == "QUEUED"


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
