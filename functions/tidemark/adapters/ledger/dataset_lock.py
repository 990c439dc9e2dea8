"""Whose turn it is in a dataset that remembers keys, and where the keys lie that its batches show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.items import from_item, to_item
from tidemark.clock import iso
from tidemark.core.dataset_lock import LockHolder
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import Batch


class DatasetLocks(Batches):
    def lock_holder(self, dataset: str) -> LockHolder | None:
        """Whose turn it is, or was last (consistent read); None where nobody has had one."""
        item = self._get(f"TURN#{dataset}", "TURN")
        found = from_item(item) if item else None
        return LockHolder(found["batch_id"], found["attempt"]) if found else None

    def take_lock(self, dataset: str, holder: LockHolder, after: LockHolder | None) -> None:
        """Give the turn to another, if it still is that of `after`.

        Closes the race of two submitters that found it over: the second gets `Conflict`.
        """
        values = {"pk": f"TURN#{dataset}", "sk": "TURN", "batch_id": holder.batch_id, "attempt": holder.attempt}
        self._transact([{"Put": {"TableName": self.table, "Item": to_item(values), **_still(after)}}])

    def save_with_keys(self, batch: Batch, files: Sequence[DataFile]) -> Batch:
        """`save` for a batch just published, together with the files of the keys that it shows from now on."""
        item = to_item(_keys_values(batch, batch.attempt, files))
        return self.save(batch, [{"Put": {"TableName": self.table, "Item": item}}])

    def put_keys(self, batch: Batch, attempt: int, files: Sequence[DataFile]) -> None:
        """The files of the keys that the batch shows by that attempt, known from its result."""
        self._put(_keys_values(batch, attempt, files))

    def shown_keys(self, dataset: str, first: datetime, last: datetime, besides: str) -> list[DataFile]:
        """The key files of all batches created in that time (consistent read), but for those of the batch `besides`."""
        listed = self._query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": {"S": _keys_key(dataset)},
                ":first": {"S": iso(first)},
                ":last": {"S": f"{iso(last)}#~"},  # behind every batch of that moment
            },
            ConsistentRead=True,
        )
        found = (from_item(item) for item in listed)
        return [DataFile(**file) for item in found if item["batch_id"] != besides for file in item["files"]]


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


def _still(holder: LockHolder | None) -> dict[str, Any]:
    if holder is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "batch_id = :batch AND attempt = :attempt",
        "ExpressionAttributeValues": {":batch": {"S": holder.batch_id}, ":attempt": {"N": str(holder.attempt)}},
    }
