"""A deployment from the change set to the grant, with the laptop's EMR, which refuses what AWS refuses."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

import cli.deploy as command
from cli.deploy import delete, deploy
from cli.target import Target
from local.emr_serverless.api import EmrServerlessApp
from local.spark.runner import Outcome
from tests.local.emr_serverless.conftest import ObedientRunner, reach, start
from tests.local.stand_ins import Events, client, served
from tests.service.nights import Hints, NightWorld
from tidemark.adapters.redshift import Connection, Warehouse
from tidemark.core.deployment import APPLICATION
from tidemark.core.draining import SUBMITTERS_END_AFTER
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch, State

ARN = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/samcli-deploy17/8a-9b"
TARGET = Target("", "us-east-1", "123456789012", "default")
FUNCTION = {"Action": "Modify", "LogicalResourceId": "Plan", "ResourceType": "AWS::Lambda::Function"}
SPARK = {"Action": "Modify", "LogicalResourceId": "SparkApplication", "ResourceType": APPLICATION}
LONG_AGO = datetime(2026, 11, 19, tzinfo=UTC)
BATCH = Batch("shop.20261119T080000.aaaaaaaa", "shop", LONG_AGO, LONG_AGO, State.PLANNED, due_at=LONG_AGO)


class CloudFormation:
    """One stack, which carries out the changes to the application by EMR's own API, and rolls back if EMR refuses."""

    def __init__(self, emr: Any, application: str) -> None:
        self.emr, self.application = emr, application
        self.status = "CREATE_COMPLETE"
        self.changes: list[dict[str, str]] = [FUNCTION]
        self.failures: list[str] = []
        self.done: list[str] = []

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803
        if not self.status:
            words = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": words}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": self.status}]}

    def describe_change_set(self, ChangeSetName: str) -> Any:  # noqa: N803
        assert ChangeSetName == ARN
        return {"Changes": [{"ResourceChange": change} for change in self.changes]}

    def execute_change_set(self, ChangeSetName: str) -> None:  # noqa: N803
        def change() -> None:
            if any(change["ResourceType"] == APPLICATION for change in self.changes):
                self.emr.update_application(applicationId=self.application, releaseLabel="emr-7.15.0")

        self._carry_out(f"execute {ChangeSetName}", change, "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")

    def delete_change_set(self, ChangeSetName: str) -> None:  # noqa: N803
        self.done.append(f"discard {ChangeSetName}")

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        self._carry_out(
            f"delete {StackName}",
            lambda: self.emr.delete_application(applicationId=self.application),
            "",
            "DELETE_FAILED",
        )

    def describe_stack_events(self, StackName: str) -> Any:  # noqa: N803
        moment = datetime(2999, 1, 1, tzinfo=UTC)
        shared = {"LogicalResourceId": "SparkApplication", "ResourceStatus": "UPDATE_FAILED", "Timestamp": moment}
        return {"StackEvents": [{**shared, "ResourceStatusReason": reason} for reason in self.failures]}

    def _carry_out(self, what: str, change: Any, well: str, badly: str) -> None:
        self.done.append(what)
        try:
            change()
        except ClientError as error:
            self.status = badly
            self.failures.append(str(error))
        else:
            self.status = well


class Scene:
    """A stack with a started application, and a person who deploys it."""

    def __init__(self, world: NightWorld, emr: Any, runner: ObedientRunner) -> None:
        self.emr, self.runner = emr, runner
        self.application = str(emr.create_application(releaseLabel="emr-7.14.0", type="SPARK")["applicationId"])
        self.stack = CloudFormation(emr, self.application)
        self.world = replace(
            world,
            settings=replace(world.settings, spark_application_id=self.application),
            clients={**world.clients, "emr-serverless": emr, "redshift-data": None},
        )
        self.printed = io.StringIO()
        self.slept = timedelta(0)
        self.proposed = f"Changeset created successfully. {ARN}\n"
        self.completed: list[str] = []
        self.checked: list[bool] = []  # removed declarations; with or without --force

    def sleep(self, seconds: float) -> None:
        self.slept += timedelta(seconds=seconds)
        self.world.clock.moment += timedelta(seconds=seconds)  # type: ignore[attr-defined]

    def deploy(self, sure: bool = True, wait_seconds: float | None = None, force: bool = False) -> str:
        deploy("tidemark", Console(file=self.printed, width=200), sure, wait_seconds, force)
        return self.printed.getvalue()

    def delete(self) -> str:
        delete("tidemark", Console(file=self.printed, width=200), True, None)
        return self.printed.getvalue()

    def state(self) -> str:
        return str(self.emr.get_application(applicationId=self.application)["application"]["state"])


@pytest.fixture
def scene(world: NightWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """SAM, CloudFormation and the warehouse answer by the scene; EMR is the laptop's."""
    runner = ObedientRunner()
    app = EmrServerlessApp(Events(), runner)
    with served(app) as url:
        scene = Scene(world, client("emr-serverless", url), runner)
        monkeypatch.setattr(command, "find_target", lambda stack, _: replace(TARGET, stack=stack))
        monkeypatch.setattr(command.aws, "client", {"cloudformation": scene.stack, "redshift-serverless": None}.get)
        monkeypatch.setattr(command, "check_removals", lambda _, __, force: scene.checked.append(force))
        monkeypatch.setattr(command, "build", lambda _: scene.completed.append("build"))
        monkeypatch.setattr(command, "run_sam", lambda *_: scene.proposed)
        monkeypatch.setattr(command, "connect", lambda _: scene.world)
        monkeypatch.setattr(command, "warehouse_loader", lambda _: "IAMR:tidemark-loader")
        monkeypatch.setattr(command, "upload_jobs", lambda *_: scene.completed.append("upload"))
        monkeypatch.setattr(command, "grant", lambda *_: scene.completed.append("grant"))
        monkeypatch.setattr(command.time, "sleep", scene.sleep)
        yield scene
    app.stop()


def test_a_change_of_functions_stops_nothing(scene: Scene) -> None:
    """Nothing waits, and code and grant follow the stack."""
    scene.emr.start_application(applicationId=scene.application)
    printed = scene.deploy()
    assert (scene.stack.done, scene.stack.status, scene.state()) == ([f"execute {ARN}"], "UPDATE_COMPLETE", "STARTED")
    assert (scene.completed, scene.slept) == (["build", "upload", "grant"], timedelta(0))
    assert "tidemark is deployed" in printed


def test_a_change_of_the_application_drains_and_stops_it_first(scene: Scene) -> None:
    """EMR would refuse it while started. The drain ends with the deployment, and a batch that waited gets a hint."""
    scene.stack.changes = [FUNCTION, SPARK]
    scene.emr.start_application(applicationId=scene.application)
    scene.world.ledger.batches.begin(BATCH)
    printed = scene.deploy()
    assert (scene.stack.status, scene.state()) == ("UPDATE_COMPLETE", "STOPPED")
    assert scene.slept >= SUBMITTERS_END_AFTER
    assert scene.world.ledger.drains.current() is None
    hints: Hints = scene.world.events
    assert [BATCH.batch_id in entry["Detail"] for entry in hints.entries] == [True]
    assert "the Spark application is drained" in printed


def test_without_the_drain_emr_refuses_the_change(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to `sam deploy` under steady traffic; the command names the reason."""
    scene.stack.changes = [SPARK]
    scene.emr.start_application(applicationId=scene.application)
    monkeypatch.setattr(command, "needs_drain", lambda _: False)
    with pytest.raises(TidemarkError, match=r"UPDATE_ROLLBACK_COMPLETE.*in STARTED state"):
        scene.deploy()
    assert scene.completed == ["build"]


def test_runs_that_had_started_end_first(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of unfinished runs is printed; the application is changed once there is none."""
    scene.stack.changes = [SPARK]
    run = start(scene.emr, scene.application)
    monkeypatch.setattr(command.time, "sleep", lambda seconds: (scene.sleep(seconds), _end(scene, run)))
    printed = scene.deploy()
    assert scene.stack.status == "UPDATE_COMPLETE"
    assert "waiting for 1 run\n" in printed


def _end(scene: Scene, run: str) -> None:
    scene.runner.finish(Outcome(0))
    reach(scene.emr, scene.application, run, "SUCCESS")


def test_runs_that_do_not_end_stop_the_deployment(scene: Scene) -> None:
    """Nothing was changed, and runs start again."""
    scene.stack.changes = [SPARK]
    start(scene.emr, scene.application)
    with pytest.raises(TidemarkError, match="nothing was changed"):
        scene.deploy(wait_seconds=120)
    assert (scene.stack.done, scene.state()) == ([], "STARTED")
    assert scene.world.ledger.drains.current() is None


def test_a_removed_declaration_with_work_left_stops_the_deployment(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is built, and only where something was deployed before."""
    scene.deploy()
    scene.deploy(force=True)
    assert scene.checked == [False, True]

    def refuse(*_: object) -> None:
        raise TidemarkError("no longer declared: shop")

    scene.completed.clear()
    monkeypatch.setattr(command, "check_removals", refuse)
    with pytest.raises(TidemarkError, match="no longer declared: shop"):
        scene.deploy()
    assert scene.completed == []
    scene.stack.status = ""
    scene.deploy()
    assert scene.completed == ["build", "upload", "grant"]


@pytest.mark.parametrize(
    ("loader", "told"),
    [
        ("IAMR:tidemark-loader", 'GRANT CREATE ON DATABASE "dev" TO "IAMR:tidemark-loader";'),
        ("", "the user of WarehouseSecretArn needs CREATE on database dev"),
    ],
)
def test_an_existing_warehouse_is_granted_by_its_administrator(
    loader: str, told: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statements are printed, and nothing is tried with rights that the stack does not have."""
    monkeypatch.setattr(command, "warehouse_loader", lambda _: loader)
    world = replace(scene.world, clients=scene.world.clients)
    world.__dict__["warehouse"] = Warehouse(None, Connection("dev", cluster="dwh"), "tidemark")
    scene.world = world
    assert told in scene.deploy()
    assert scene.completed == ["build", "upload"]


def test_without_resource_changes_code_and_grant_are_renewed(scene: Scene) -> None:
    """A change of the Spark code alone changes no resource."""
    scene.proposed = "Error: No changes to deploy. Stack tidemark is up to date\n"
    assert "no resource changes" in scene.deploy()
    assert (scene.stack.done, scene.completed) == ([], ["build", "upload", "grant"])


def test_a_first_deployment_drains_nothing(scene: Scene) -> None:
    """There is no ledger yet that could hold a drain."""
    scene.stack.status, scene.stack.changes = "", [{**SPARK, "Action": "Add"}, {**FUNCTION, "Action": "Add"}]
    scene.deploy()
    assert scene.stack.done == [f"execute {ARN}"]
    assert scene.slept == timedelta(0)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"])
def test_a_stack_that_takes_no_deployment_is_named_before_the_build(scene: Scene, status: str) -> None:
    """The build takes minutes."""
    scene.stack.status = status
    with pytest.raises(TidemarkError, match=status):
        scene.deploy()
    assert scene.completed == []


def test_a_name_that_aws_refuses_is_named_before_the_build(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """All problems in one line."""
    monkeypatch.setattr(command, "check_stack_name", lambda *_: ["too long", "a capital"])
    with pytest.raises(TidemarkError, match="too long; a capital"):
        scene.deploy()
    assert scene.completed == []


def test_where_nobody_can_be_asked_it_must_be_sure(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script says --yes; nothing is executed without it."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(TidemarkError, match="expected --yes"):
        scene.deploy(sure=False)
    assert scene.stack.done == []


def test_a_refused_change_set_is_deleted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The changes are shown first."""
    monkeypatch.setattr(command, "_is_sure", lambda *_: False)
    with pytest.raises(TidemarkError, match="nothing was deployed"):
        scene.deploy()
    assert scene.stack.done == [f"discard {ARN}"]
    assert "AWS::Lambda::Function" in scene.printed.getvalue()


def test_a_stack_is_deleted_once_its_application_is_stopped(scene: Scene) -> None:
    """EMR would refuse to delete it while started; what stays is named."""
    scene.emr.start_application(applicationId=scene.application)
    printed = scene.delete()
    assert (scene.stack.done, scene.stack.status, scene.state()) == (["delete tidemark"], "", "TERMINATED")
    assert "the ledger" in printed
    assert "tidemark is deleted" in printed


def test_a_failed_first_deployment_is_deleted_without_a_drain(scene: Scene) -> None:
    """Its ledger may not exist."""
    scene.stack.status = "ROLLBACK_COMPLETE"
    scene.delete()
    assert (scene.stack.status, scene.slept) == ("", timedelta(0))


def test_a_missing_stack_cannot_be_deleted(scene: Scene) -> None:
    """A misspelt name is no success."""
    scene.stack.status = ""
    with pytest.raises(TidemarkError, match="expected a stack 'tidemark', found none"):
        scene.delete()
