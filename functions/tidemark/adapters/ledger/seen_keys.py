"""Where the keys lie that a dataset's batches show, for later batches to drop records that repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.items import from_item, to_item
from tidemark.adapters.ledger.table import Table
from tidemark.clock import iso
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import Batch


class SeenKeys:
    def __init__(self, table: Table, batches: Batches) -> None:
        self.table, self.batches = table, batches

    def save_with_batch(self, batch: Batch, files: Sequence[DataFile]) -> Batch:
        """Saves a batch that was just published, together with the files of the keys that it shows from now on."""
        item = to_item(_keys_values(batch, batch.attempt, files))
        return self.batches.save(batch, [{"Put": {"TableName": self.table.name, "Item": item}}])

    def put(self, batch: Batch, attempt: int, files: Sequence[DataFile]) -> None:
        """Records the files of the keys that the batch's attempt shows."""
        self.table.put(_keys_values(batch, attempt, files))

    def shown(self, dataset: str, first: datetime, last: datetime, besides: str) -> list[DataFile]:
        """Key files of all batches created from `first` to `last`, except those of `besides` (consistent read)."""
        listed = self.table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": {"S": _keys_key(dataset)},
                ":first": {"S": iso(first)},
                ":last": {"S": f"{iso(last)}#~"},  # sorts after every batch of that moment
            },
            ConsistentRead=True,
        )
        entries = map(from_item, listed)
        return [DataFile(**file) for entry in entries if entry["batch_id"] != besides for file in entry["files"]]


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
