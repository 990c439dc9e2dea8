"""The stack in CloudFormation, with a client that answers by a script."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tidemark.adapters.cloudformation import Stacks, StackState
from tidemark.core.deployment import ResourceChange

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GONE = {"Code": "ValidationError", "Message": "Stack with id tidemark does not exist"}
DENIED = {"Code": "AccessDenied", "Message": "not authorized to perform: cloudformation:DescribeStacks"}


def stacks(**operations: Any) -> Stacks:
    return Stacks(SimpleNamespace(**operations))


def refuses(error: Any) -> Any:
    def call(**_: Any) -> None:
        raise ClientError({"Error": error}, "DescribeStacks")

    return call


def test_a_stack_has_a_status_and_outputs() -> None:
    """A stack without outputs has none yet."""
    outputs = [{"OutputKey": "Settings", "OutputValue": "/tidemark/settings"}]
    found = stacks(describe_stacks=lambda **_: {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Outputs": outputs}]})
    assert found.state("tidemark") == StackState("CREATE_COMPLETE", {"Settings": "/tidemark/settings"})
    new = stacks(describe_stacks=lambda **_: {"Stacks": [{"StackStatus": "REVIEW_IN_PROGRESS"}]})
    assert new.state("tidemark") == StackState("REVIEW_IN_PROGRESS", {})


def test_only_an_unknown_name_is_a_missing_stack() -> None:
    """CloudFormation answers it with a validation error; a missing permission is another matter."""
    assert stacks(describe_stacks=refuses(GONE)).state("tidemark") == StackState("", {})
    with pytest.raises(ClientError, match="not authorized"):
        stacks(describe_stacks=refuses(DENIED)).state("tidemark")


def test_changes_come_on_pages() -> None:
    """Changes of anything but resources are left out."""
    spark = {"Action": "Modify", "LogicalResourceId": "SparkApplication", "ResourceType": "T", "Replacement": "False"}
    plan = {"Action": "Add", "LogicalResourceId": "Plan", "ResourceType": "F"}
    pages = {
        None: {"Changes": [{"Type": "Resource", "ResourceChange": spark}, {"Type": "Hook"}], "NextToken": "2"},
        "2": {"Changes": [{"Type": "Resource", "ResourceChange": plan}]},
    }
    found = stacks(describe_change_set=lambda ChangeSetName, NextToken=None: pages[NextToken])  # noqa: N803
    assert found.changes("arn:change") == [
        ResourceChange("Modify", "SparkApplication", "T", "False"),
        ResourceChange("Add", "Plan", "F"),
    ]


def event(minute: int, resource: str, status: str, reason: str) -> dict[str, Any]:
    return {
        "Timestamp": NOON + timedelta(minutes=minute),
        "LogicalResourceId": resource,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def test_the_first_failure_is_the_cause() -> None:
    """Later ones were cancelled because of it, and those before the deployment belong to another."""
    events = [
        event(4, "tidemark", "UPDATE_FAILED", "The following resource(s) failed to update: [Spark]"),
        event(3, "Plan", "UPDATE_FAILED", "Resource update cancelled"),
        event(2, "Spark", "UPDATE_FAILED", "Only the following configurations can be updated"),
        event(1, "Spark", "UPDATE_IN_PROGRESS", ""),
        event(-9, "Load", "UPDATE_FAILED", "of yesterday"),
    ]
    found = stacks(describe_stack_events=lambda **_: {"StackEvents": events})
    assert found.failure("tidemark", NOON) == "Spark: Only the following configurations can be updated"
    assert found.failure("tidemark", NOON + timedelta(hours=1)) == ""
