"""The dataset lock: which attempt may run, in a dataset that deduplicates across batches."""

from __future__ import annotations

from typing import Any

from tidemark.adapters.ledger.items import from_item
from tidemark.adapters.ledger.table import Table
from tidemark.core.dataset_lock import LockHolder


class DatasetLocks:
    def __init__(self, table: Table) -> None:
        self.table = table

    def holder(self, dataset: str) -> LockHolder | None:
        """Returns the attempt that holds the lock or held it last (consistent read); None if it was never taken."""
        item = self.table.get(_lock_key(dataset), "LOCK")
        values = from_item(item) if item else None
        return LockHolder(values["batch_id"], values["attempt"]) if values else None

    def take(self, dataset: str, holder: LockHolder, after: LockHolder | None) -> None:
        """Passes the lock from `after` to `holder`.

        Closes the race between two submitters that both saw the lock free: the second gets `Conflict`.
        """
        values = {"pk": _lock_key(dataset), "sk": "LOCK", "batch_id": holder.batch_id, "attempt": holder.attempt}
        self.table.transact([{"Update": self.table.write(values, _held_by(after))}])


def _lock_key(dataset: str) -> str:
    return f"LOCK#{dataset}"


def _held_by(holder: LockHolder | None) -> dict[str, Any]:
    """Returns the condition that the lock still belongs to `holder`; None means that it was never taken."""
    if holder is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "batch_id = :batch AND attempt = :attempt",
        "ExpressionAttributeValues": {":batch": {"S": holder.batch_id}, ":attempt": {"N": str(holder.attempt)}},
    }
