"""What people and long listings set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemark.adapters.ledger.items import from_item
from tidemark.adapters.ledger.table import Table, key_of


class Controls(Table):
    def paused(self, dataset: str) -> bool:
        """Whether no new batch of the dataset is to be formed."""
        return bool(self.control(f"PAUSE#{dataset}"))

    def pause(self, dataset: str, paused: bool) -> None:
        """Form no new batches of the dataset, or form them again."""
        self.set_control(f"PAUSE#{dataset}", {"paused": True} if paused else {})

    def control(self, name: str) -> dict[str, Any]:
        """A remembered setting or marker; empty when there is none."""
        item = self._get("CONTROL", name)
        return dict(from_item(item)["value"]) if item else {}

    def controls(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Name → value of every control whose name begins so (consistent read)."""
        pages = self._query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": "CONTROL"}, ":sk": {"S": prefix}},
            ConsistentRead=True,
        )
        return {found["sk"]: dict(found["value"]) for found in map(from_item, pages)}

    def set_control(self, name: str, value: Mapping[str, Any]) -> None:
        """Remember a setting or marker; an empty one is forgotten."""
        if value:
            self._put({"pk": "CONTROL", "sk": name, "value": dict(value)})
        else:
            self.client.delete_item(TableName=self.table, Key=key_of("CONTROL", name))

    def set_control_once(self, name: str, value: Mapping[str, Any]) -> None:
        """Remember a setting unless there is one. Closes the race with whatever has written it meanwhile."""
        self._put(
            {"pk": "CONTROL", "sk": name, "value": dict(value)},
            condition="attribute_not_exists(pk)",
            missed_is_fine=True,
        )
