"""What a change set of CloudFormation does to a stack, and what a deployment must do before it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

APPLICATION = "AWS::EMRServerless::Application"
#: Actions after which a resource that existed is not what it was. `Dynamic` means that CloudFormation cannot tell.
TOUCHING = ("Modify", "Remove", "Dynamic")
#: Statuses of a stack that was never deployed: it is missing, or has only a change set.
NEW = ("", "REVIEW_IN_PROGRESS")
#: Endings of CloudFormation's statuses.
UNDER_WAY, DONE, FAILED = "_IN_PROGRESS", "_COMPLETE", "_FAILED"


@dataclass(frozen=True)
class ResourceChange:
    """One resource of a change set."""

    action: str  # Add | Modify | Remove | Import | Dynamic
    logical_id: str
    type: str
    replacement: str = ""  # True | False | Conditional


def needs_drain(changes: Iterable[ResourceChange]) -> bool:
    """Whether the change set updates, replaces or deletes the Spark application.

    CloudFormation sends all properties in its update, and a tag counts as one, so EMR refuses every update while the
    application is started (docs/aws-facts.md#emr-application-states).
    """
    return any(change.type == APPLICATION and change.action in TOUCHING for change in changes)


def removed(changes: Iterable[ResourceChange]) -> list[ResourceChange]:
    """The changes after which a resource that existed is gone or another one."""
    return [change for change in changes if change.action == "Remove" or change.replacement == "True"]


def obstacle(status: str) -> str:
    """Why a stack in this status takes no deployment; "" if it does."""
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        return f"the stack is in {status}: `tidemark delete` removes it, then deploy again"
    if status == "UPDATE_ROLLBACK_FAILED":
        return f"the stack is in {status}: continue the rollback in CloudFormation's console first"
    if status.endswith(UNDER_WAY) and status not in NEW:
        return f"the stack is in {status}: another deployment is under way"
    return ""


def has_ended(status: str) -> bool:
    """Whether CloudFormation does nothing more to the stack by itself."""
    return not status.endswith(UNDER_WAY)


def has_succeeded(status: str) -> bool:
    """Whether a deployment that ended in this status took effect."""
    return status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
