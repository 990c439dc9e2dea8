"""What people and long listings set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemark.adapters.ledger.items import from_item
from tidemark.adapters.ledger.table import Table, key_of


class Controls:
    def __init__(self, table: Table) -> None:
        self.table = table

    def paused(self, dataset: str) -> bool:
        """Whether no new batch of the dataset is to be formed."""
        return bool(self.get(f"PAUSE#{dataset}"))

    def pause(self, dataset: str, paused: bool) -> None:
        """Form no new batches of the dataset, or form them again."""
        self.set(f"PAUSE#{dataset}", {"paused": True} if paused else {})

    def get(self, name: str) -> dict[str, Any]:
        """A remembered setting or marker; empty when there is none."""
        item = self.table.get("CONTROL", name)
        return dict(from_item(item)["value"]) if item else {}

    def with_prefix(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Name → value of every control whose name begins so (consistent read)."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": "CONTROL"}, ":sk": {"S": prefix}},
            ConsistentRead=True,
        )
        return {found["sk"]: dict(found["value"]) for found in map(from_item, pages)}

    def set(self, name: str, value: Mapping[str, Any]) -> None:
        """Remember a setting or marker; an empty one is forgotten."""
        if value:
            self.table.put({"pk": "CONTROL", "sk": name, "value": dict(value)})
        else:
            self.table.client.delete_item(TableName=self.table.name, Key=key_of("CONTROL", name))

    def set_once(self, name: str, value: Mapping[str, Any]) -> None:
        """Remember a setting unless there is one. Closes the race with whatever has written it meanwhile."""
        self.table.put(
            {"pk": "CONTROL", "sk": name, "value": dict(value)},
            condition="attribute_not_exists(pk)",
            missed_is_fine=True,
        )
