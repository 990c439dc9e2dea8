"""The drain: the lease by which a deployment keeps job runs from starting."""

from __future__ import annotations

from typing import Any

from tidemark.adapters.ledger.items import from_item, to_item
from tidemark.adapters.ledger.table import Table
from tidemark.clock import from_iso, iso
from tidemark.core.draining import Drain

DRAIN = {"pk": "CONTROL", "sk": "DRAIN"}


class Drains:
    def __init__(self, table: Table) -> None:
        self.table = table

    def current(self) -> Drain | None:
        """Returns the latest drain, expired or not (consistent read); None if it was ended or there was none."""
        item = self.table.get(**DRAIN)
        values = from_item(item) if item else None
        return Drain(values["deployer"], from_iso(values["ends_at"])) if values else None

    def put(self, drain: Drain, after: Drain | None) -> None:
        """Begins or renews a drain; `after` is the one that was read.

        Closes the race between two deployments: the second gets `Conflict`.
        """
        values = {**DRAIN, "deployer": drain.deployer, "ends_at": iso(drain.ends_at)}
        self.table.transact([{"Put": {"TableName": self.table.name, "Item": to_item(values), **_unchanged(after)}}])

    def end(self, drain: Drain) -> None:
        """Ends a drain, unless it was renewed or taken over since: then it gets `Conflict`."""
        request = {"TableName": self.table.name, "Key": to_item(DRAIN), **_unchanged(drain)}
        self.table.transact([{"Delete": request}])


def _unchanged(drain: Drain | None) -> dict[str, Any]:
    """Returns the condition that the ledger still has this drain; None means that it has none."""
    if drain is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "deployer = :deployer AND ends_at = :ends_at",
        "ExpressionAttributeValues": {":deployer": {"S": drain.deployer}, ":ends_at": {"S": iso(drain.ends_at)}},
    }
