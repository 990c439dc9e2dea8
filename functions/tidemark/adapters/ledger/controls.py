"""Controls: named values such as pauses, positions of long listings, and the time of the last nightly pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemark.adapters.ledger.items import from_item
from tidemark.adapters.ledger.table import Table, key_of


class Controls:
    def __init__(self, table: Table) -> None:
        self.table = table

    def paused(self, dataset: str) -> bool:
        """Returns whether the dataset is paused, so that no new batch of it begins."""
        return self.table.get("CONTROL", f"PAUSE#{dataset}") is not None

    def pause(self, dataset: str, paused: bool) -> None:
        """Pauses the dataset, or resumes it."""
        self.set(f"PAUSE#{dataset}", {"paused": True} if paused else {})

    def get(self, name: str) -> dict[str, Any]:
        """Returns the value of a control, or an empty one if it is not set (consistent read)."""
        item = self.table.get("CONTROL", name)
        return dict(from_item(item)["value"]) if item else {}

    def with_prefix(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Returns name → value of every control whose name starts with `prefix` (consistent read)."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": "CONTROL"}, ":sk": {"S": prefix}},
            ConsistentRead=True,
        )
        return {control["sk"]: dict(control["value"]) for control in map(from_item, pages)}

    def set(self, name: str, value: Mapping[str, Any]) -> None:
        """Sets a control; an empty value deletes it."""
        if value:
            self.table.overwrite({"pk": "CONTROL", "sk": name, "value": dict(value)})
        else:
            self.table.client.delete_item(TableName=self.table.name, Key=key_of("CONTROL", name))

    def set_once(self, name: str, value: Mapping[str, Any]) -> None:
        """Sets a control that is not set yet. Closes the race with another writer: the first value stays."""
        self.table.put(
            {"pk": "CONTROL", "sk": name, "value": dict(value)},
            condition="attribute_not_exists(pk)",
            ignore_failed=True,
        )
