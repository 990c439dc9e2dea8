"""Declarations as batches began under them: what is under way outlives the declaration of its dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tidemark.adapters.ledger.items import from_item
from tidemark.adapters.ledger.table import Table

REGISTRY = "DATASETS"


class Declarations:
    def __init__(self, table: Table) -> None:
        self.table = table
        self._registered: dict[str, str] = {}  # what this process has written

    def register(self, dataset: str, declared: Mapping[str, Any]) -> None:
        """Remember the declaration before the first batch under it begins; written once a process and declaration."""
        text = json.dumps(declared, default=str)
        if self._registered.get(dataset) != text:
            self.table.put({"pk": REGISTRY, "sk": dataset, "declared": text})
            self._registered[dataset] = text

    def all(self) -> dict[str, dict[str, Any]]:
        """Dataset → its last declaration, of every dataset that ever had a batch (consistent read)."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": REGISTRY}},
            ConsistentRead=True,
        )
        return {found["sk"]: json.loads(found["declared"]) for found in map(from_item, pages)}
