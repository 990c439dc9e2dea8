"""What a change set does, and which stacks take one."""

from __future__ import annotations

import pytest

from tidemark.core.deployment import (
    APPLICATION,
    ResourceChange,
    has_ended,
    has_succeeded,
    needs_drain,
    obstacle,
    removed,
)

FUNCTION = ResourceChange("Modify", "Plan", "AWS::Lambda::Function")


@pytest.mark.parametrize(
    ("action", "expected"), [("Add", False), ("Import", False), ("Modify", True), ("Remove", True), ("Dynamic", True)]
)
def test_a_change_of_the_application_needs_a_drain(action: str, expected: bool) -> None:
    """A new application has no runs; EMR refuses to change or delete one that is started, even its tags."""
    assert needs_drain([FUNCTION, ResourceChange(action, "SparkApplication", APPLICATION)]) is expected


def test_other_changes_need_none() -> None:
    """A deployment of functions alone stops nothing."""
    assert not needs_drain([FUNCTION, ResourceChange("Remove", "LagAlarm", "AWS::CloudWatch::Alarm")])


def test_what_goes_away_is_named() -> None:
    """Removed resources, and those that are replaced by another."""
    gone = ResourceChange("Remove", "LagAlarm", "AWS::CloudWatch::Alarm")
    replaced = ResourceChange("Modify", "Warehouse", "AWS::RedshiftServerless::Workgroup", "True")
    perhaps = ResourceChange("Modify", "Plan", "AWS::Lambda::Function", "Conditional")
    assert removed([FUNCTION, gone, replaced, perhaps]) == [gone, replaced]


@pytest.mark.parametrize("status", ["", "REVIEW_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_new_stack_and_one_at_rest_take_a_deployment(status: str) -> None:
    """A stack whose last update was rolled back is as it was before."""
    assert obstacle(status) == ""


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("ROLLBACK_COMPLETE", "tidemark delete"),
        ("DELETE_FAILED", "tidemark delete"),
        ("UPDATE_ROLLBACK_FAILED", "console"),
        ("UPDATE_IN_PROGRESS", "another deployment"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "another deployment"),
    ],
)
def test_a_stack_that_takes_none_says_what_to_do(status: str, advice: str) -> None:
    """CloudFormation would refuse the change set, after minutes of building."""
    assert status in obstacle(status)
    assert advice in obstacle(status)


@pytest.mark.parametrize(
    ("status", "ended", "succeeded"),
    [
        ("UPDATE_IN_PROGRESS", False, False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False, False),
        ("UPDATE_COMPLETE", True, True),
        ("CREATE_COMPLETE", True, True),
        ("UPDATE_ROLLBACK_COMPLETE", True, False),
        ("ROLLBACK_FAILED", True, False),
    ],
)
def test_a_deployment_ends_well_or_badly(status: str, ended: bool, succeeded: bool) -> None:
    """The cleanup after an update deletes what was replaced, perhaps the application, so it belongs to the update."""
    assert (has_ended(status), has_succeeded(status)) == (ended, succeeded)
