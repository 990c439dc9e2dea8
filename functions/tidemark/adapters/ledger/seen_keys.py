"""Where the keys of a dataset's published records are stored, so that other batches can drop duplicate records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.items import from_item
from tidemark.adapters.ledger.table import Table
from tidemark.clock import iso
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import Batch


class SeenKeys:
    def __init__(self, table: Table, batches: Batches) -> None:
        self.table, self.batches = table, batches

    def save_with_batch(self, batch: Batch, files: Sequence[DataFile]) -> Batch:
        """Saves a batch that was just published, and its key files, in one transaction."""
        return self.batches.save(batch, [self.record(batch, batch.attempt, files)])

    def record(self, batch: Batch, attempt: int, files: Sequence[DataFile]) -> dict[str, Any]:
        """Returns the write that records the key files of an attempt that readers of the lake see."""
        return {"Update": self.table.write(_keys_values(batch, attempt, files))}

    def shown(self, dataset: str, first: datetime, last: datetime, besides: str) -> list[DataFile]:
        """Returns the key files of all batches created from `first` to `last`, except `besides` (consistent read)."""
        items = self.table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": {"S": _keys_key(dataset)},
                ":first": {"S": iso(first)},
                ":last": {"S": f"{iso(last)}#~"},  # sorts after every batch of that moment
            },
            ConsistentRead=True,
        )
        entries = map(from_item, items)
        listed = (file for entry in entries if entry["batch_id"] != besides for file in entry["files"])
        return [DataFile(file["uri"], file["rows"], file["bytes"]) for file in listed]


def _keys_values(batch: Batch, attempt: int, files: Sequence[DataFile]) -> dict[str, Any]:
    return {
        "pk": _keys_key(batch.dataset),
        "sk": f"{iso(batch.created_at)}#{batch.batch_id}",
        "batch_id": batch.batch_id,
        "attempt": attempt,
        "files": [{"uri": file.uri, "rows": file.rows, "bytes": file.bytes} for file in files],
    }


def _keys_key(dataset: str) -> str:
    return f"KEYS#{dataset}"
