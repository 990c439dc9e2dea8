"""The stack in CloudFormation: its status and outputs, its change sets, and why a deployment failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from tidemark.core.deployment import FAILED, ResourceChange

#: Reasons of resources that only stopped because another one had failed.
CANCELLED = ("cancelled", "The following resource(s) failed")


@dataclass(frozen=True)
class StackState:
    """A stack as CloudFormation describes it; a missing one has the status ""."""

    status: str
    outputs: Mapping[str, str]


class Stacks:
    def __init__(self, client: Any) -> None:
        self.client = client

    def state(self, name: str) -> StackState:
        """Returns the stack's present state. A name that CloudFormation does not know is a missing stack."""
        try:
            stack = self.client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
                return StackState("", {})
            raise
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        return StackState(stack["StackStatus"], outputs)

    def changes(self, change_set: str) -> list[ResourceChange]:
        """Returns the resources that the change set, given by its ARN, adds, changes or removes."""
        return [
            ResourceChange(one["Action"], one["LogicalResourceId"], one["ResourceType"], one.get("Replacement", ""))
            for page in self._pages("describe_change_set", ChangeSetName=change_set)
            for change in page["Changes"]
            if (one := change.get("ResourceChange"))
        ]

    def execute(self, change_set: str) -> None:
        """Begins to carry out the change set."""
        self.client.execute_change_set(ChangeSetName=change_set)

    def discard(self, change_set: str) -> None:
        """Deletes a change set that is not to be carried out."""
        self.client.delete_change_set(ChangeSetName=change_set)

    def delete(self, name: str) -> None:
        """Begins to delete the stack."""
        self.client.delete_stack(StackName=name)

    def failure(self, name: str, since: datetime) -> str:
        """Returns the first failure since that time: the resource, and CloudFormation's reason; "" for none."""
        failures = [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"
            for event in self._events(name, since)
            if event["ResourceStatus"].endswith(FAILED)
        ]
        causes = [line for line in failures if not any(words in line for words in CANCELLED)]
        return (causes or failures or [""])[-1]  # events come latest first

    def _events(self, name: str, since: datetime) -> Iterator[dict[str, Any]]:
        for page in self._pages("describe_stack_events", StackName=name):
            for event in page["StackEvents"]:
                if event["Timestamp"] < since:
                    return
                yield event

    def _pages(self, operation: str, **request: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = getattr(self.client, operation)(**request)
            yield page
            if not page.get("NextToken"):
                return
            request["NextToken"] = page["NextToken"]
