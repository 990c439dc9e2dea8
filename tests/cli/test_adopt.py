"""What a deleted stack has left is imported into a new one."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cli import adopt as adopt_module
from cli.adopt import LOOKUPS, MISSING, adopt, kept_resources
from cli.render import open_console
from local.stack.template import load
from tests.conftest import ROOT
from tidemark.core.errors import TidemarkError

TEMPLATE = load(ROOT / "template.yaml")
PLACE = "123456789012-eu-west-1"


class Account:
    """AWS with some resources by name, which remembers what CloudFormation is asked to do."""

    def __init__(self, *names: str, stacks: tuple[str, ...] = ()) -> None:
        self.names, self.stacks = {*names}, {*stacks}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str) -> Any:
        return self if service == "cloudformation" else _Service(self)

    def describe_stacks(self, StackName: str) -> None:  # noqa: N803
        if StackName not in self.stacks:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "no"}}, "DescribeStacks")

    def create_change_set(self, **request: Any) -> None:
        self.asked.append(("create", request))

    def execute_change_set(self, **request: Any) -> None:
        self.asked.append(("execute", request))

    def get_waiter(self, name: str) -> Any:
        self.asked.append((name, {}))
        return self

    def wait(self, **_: Any) -> None:
        pass


class _Service:
    def __init__(self, account: Account) -> None:
        self.account = account

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012"}

    def __getattr__(self, operation: str) -> Any:
        def find(**named: str) -> None:
            (name,) = named.values()
            if name not in self.account.names:
                raise ClientError({"Error": {"Code": min(MISSING), "Message": "no"}}, operation)

        return find


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts the command into an account in eu-west-1."""

    def within(account: Account) -> Account:
        monkeypatch.setattr(boto3, "client", account.client)
        monkeypatch.setattr(adopt_module, "region", lambda: "eu-west-1")
        return account

    return within


def test_every_kept_resource_is_named_without_functions() -> None:
    """CloudFormation imports no dynamic names; what refers to other resources waits for the deployment."""
    kept = {found.logical_id: found for found in kept_resources(TEMPLATE, "tide-eu", "1" * 12, "eu-west-1", {})}
    assert {name: found.name for name, found in kept.items()} == {
        "RawBucket": "tide-eu-raw-111111111111-eu-west-1",
        "ControlBucket": "tide-eu-control-111111111111-eu-west-1",
        "LakeBucket": "tide-eu-lake-111111111111-eu-west-1",
        "LedgerTable": "tide-eu-ledger",
        "LakeDatabase": "tide_eu",
        "WarehouseNamespace": "tide-eu",
    }
    assert "Fn::" not in json.dumps([found.resource for found in kept.values()])
    assert "Ref" not in json.dumps([found.resource for found in kept.values()])
    database = kept["LakeDatabase"].resource["Properties"]["DatabaseInput"]
    assert database["LocationUri"] == "s3://tide-eu-lake-111111111111-eu-west-1/tables"
    assert "IamRoles" not in kept["WarehouseNamespace"].resource["Properties"]


def test_every_kind_that_is_kept_can_be_looked_up() -> None:
    """By its name."""
    assert {found.kind for found in kept_resources(TEMPLATE, "tide", "1" * 12, "us-east-1", {})} == set(LOOKUPS)


def test_what_is_there_is_imported_into_a_stack_that_has_nothing_else(
    within: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest is named and left to the deployment, which creates it."""
    account = within(Account(f"tide-lake-{PLACE}", "tide-ledger", "sales"))
    adopt("tide", open_console(), "sales")
    (_, create), waited, execute, done = account.asked
    assert (waited[0], done[0]) == ("change_set_create_complete", "stack_import_complete")
    assert execute == ("execute", {"StackName": "tide", "ChangeSetName": "adopt"})
    assert create["ChangeSetType"] == "IMPORT"
    assert create["ResourcesToImport"] == [
        {"ResourceType": "AWS::DynamoDB::Table", "LogicalResourceId": "LedgerTable",
         "ResourceIdentifier": {"TableName": "tide-ledger"}},
        {"ResourceType": "AWS::S3::Bucket", "LogicalResourceId": "LakeBucket",
         "ResourceIdentifier": {"BucketName": f"tide-lake-{PLACE}"}},
        {"ResourceType": "AWS::Glue::Database", "LogicalResourceId": "LakeDatabase",
         "ResourceIdentifier": {"DatabaseName": "sales"}},
    ]  # fmt: skip
    template = json.loads(create["TemplateBody"])
    assert set(template) == {"AWSTemplateFormatVersion", "Resources"}
    assert set(template["Resources"]) == {"LedgerTable", "LakeBucket", "LakeDatabase"}
    printed = capsys.readouterr().out
    assert f"not there: AWS::S3::Bucket tide-raw-{PLACE}" in printed
    assert "adopted: AWS::DynamoDB::Table tide-ledger" in printed


@pytest.mark.parametrize(
    ("account", "stack", "message"),
    [
        (Account(), "tide", "expected something that a deleted stack 'tide' has left, found nothing"),
        (Account("tide-ledger", stacks=("tide",)), "tide", "expected no stack 'tide', found one"),
        (Account("tide-ledger"), "Tide", "expected a stack name in lower case"),
    ],
)
def test_nothing_to_adopt_is_said(within: Any, account: Account, stack: str, message: str) -> None:
    """Nor is anything imported into a stack that exists."""
    within(account)
    with pytest.raises(TidemarkError, match=message):
        adopt(stack, open_console(), "")
    assert account.asked == []


def test_an_error_that_says_nothing_of_existence_is_passed_on(within: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing permission does not look like a missing bucket."""
    account = within(Account("tide-ledger"))

    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")

    monkeypatch.setattr(_Service, "head_bucket", lambda self, **named: denied(), raising=False)
    with pytest.raises(ClientError, match="Forbidden"):
        adopt("tide", open_console(), "")
    assert account.asked == []
