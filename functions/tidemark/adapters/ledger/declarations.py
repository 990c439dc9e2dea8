"""Declarations under which batches began. Unfinished batches still need theirs after the dataset is removed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tidemark.adapters.ledger.items import Item, from_item, readable
from tidemark.adapters.ledger.table import Table

REGISTRY = "DATASETS"


class Declarations:
    def __init__(self, table: Table) -> None:
        self.table = table
        self._registered: dict[str, str] = {}  # dataset → the text that this process wrote last

    def register(self, dataset: str, declared: Mapping[str, Any]) -> None:
        """Records the declaration before a batch begins under it; a process writes each declaration only once."""
        text = json.dumps(declared, default=str)
        if self._registered.get(dataset) != text:
            self.table.overwrite({"pk": REGISTRY, "sk": dataset, "declared": text})
            self._registered[dataset] = text

    def all(self) -> dict[str, dict[str, Any]]:
        """Returns dataset → last declaration, for every dataset that ever had a batch (consistent read).

        Declarations that only a newer release reads are left out.
        """
        return {entry["sk"]: json.loads(entry["declared"]) for entry in map(from_item, readable(self._items()))}

    def names(self) -> list[str]:
        """Returns every dataset that ever had a batch, also those whose declaration only a newer release reads."""
        return [item["sk"]["S"] for item in self._items()]

    def _items(self) -> Iterator[Item]:
        return self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": REGISTRY}},
            ConsistentRead=True,
        )
