"""Batches and their attempts. A save fails if the batch was written since it was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice, takewhile
from typing import Any

from tidemark.adapters.ledger.items import (
    BATCH_NAMES,
    BLEMISHED,
    Item,
    attempt_item,
    batch_item,
    batch_key,
    is_newer,
    parse_batch,
    pending_key,
    readable,
)
from tidemark.adapters.ledger.table import Table, key_of
from tidemark.core.lifecycle import Batch

KEYS_MAX = 100  # per BatchGetItem


class Batches:
    def __init__(self, table: Table) -> None:
        self.table = table

    def begin(self, batch: Batch) -> Batch:
        """Writes a FORMING batch and assigns its segments to it, in one transaction.

        Closes the race between two planners that want the same segment: the second gets `Conflict`.
        """
        saved, writes = self._batch_writes(batch)
        assignments = [
            {
                "Update": {
                    "TableName": self.table.name,
                    "Key": key_of(pending_key(batch.dataset, batch.background), sk),
                    "UpdateExpression": "SET batch_id = :batch",
                    "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(batch_id)",
                    "ExpressionAttributeValues": {":batch": {"S": batch.batch_id}},
                }
            }
            for sk in batch.segments
        ]
        # The attempt's own item follows with the next save: a transaction takes no more than 100 items.
        self.table.transact([writes[0], *assignments])
        return saved

    def get(self, batch_id: str) -> Batch | None:
        """Returns the current batch (consistent read), or None if there is none.

        Raises `NewerRelease` if only a newer release may act on it. Lists leave such batches out.
        """
        item = self.table.get(batch_key(batch_id), "BATCH")
        return parse_batch(item) if item else None

    def named(self, batch_ids: Iterable[str]) -> Iterator[Batch]:
        """Yields the current state of those batches that exist (consistent read), in no particular order."""
        yield from map(parse_batch, readable(self._named(batch_ids)))

    def named_and_newer(self, batch_ids: Iterable[str]) -> tuple[list[Batch], list[str]]:
        """Returns what `named` yields, and the ids of those batches that only a newer release may act on."""
        items = list(self._named(batch_ids))
        newer = [item["pk"]["S"].removeprefix(batch_key("")) for item in items if is_newer(item)]
        return [parse_batch(item) for item in readable(items)], newer

    def _named(self, batch_ids: Iterable[str]) -> Iterator[Item]:
        keys = [key_of(batch_key(batch_id), "BATCH") for batch_id in batch_ids]
        for start in range(0, len(keys), KEYS_MAX):
            yield from self.table.get_all(keys[start : start + KEYS_MAX], consistent=True)

    def save(self, batch: Batch, also: Iterable[dict[str, Any]] = ()) -> Batch:
        """Writes the batch and its attempt's item, unless the batch was written since it was read.

        Closes the race between two handlers that advance one batch: the second gets `Conflict`. `also` holds further
        writes for the same transaction.
        """
        saved, writes = self._batch_writes(batch)
        self.table.transact([*writes, *also])
        return saved

    def save_all(self, batches: Sequence[Batch], also: Iterable[dict[str, Any]] = ()) -> list[Batch]:
        """Does what `save` does, for several batches in one transaction."""
        pairs = [self._batch_writes(batch) for batch in batches]
        self.table.transact([*(write for _, writes in pairs for write in writes), *also])
        return [saved for saved, _ in pairs]

    def attempts(self, batch_id: str) -> list[Batch]:
        """Returns the batch as each attempt last wrote it, oldest attempt first (consistent read)."""
        return [
            parse_batch(item)
            for item in readable(
                self.table.query(
                    KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
                    ExpressionAttributeValues={":pk": {"S": batch_key(batch_id)}, ":sk": {"S": "ATTEMPT#"}},
                    ConsistentRead=True,
                )
            )
        ]

    def open(self, dataset: str) -> list[Batch]:
        """Returns the dataset's batches that are not at rest, from the index, which may lag."""
        return [parse_batch(item) for item in readable(self.table.open(dataset))]

    def blemished(self, since: datetime, limit: int) -> list[Batch]:
        """Returns batches LOADED after `since` with rejected records or partly unread files.

        They come from the index, latest first; only the latest `limit` items are read.
        """
        latest = map(parse_batch, readable(self.table.latest(BLEMISHED, limit)))
        return list(takewhile(lambda batch: batch.updated_at > since, latest))

    def recent(self, dataset: str, limit: int) -> list[Batch]:
        """Returns the dataset's `limit` latest batches, latest first, from the index."""
        pages = self.table.query(
            IndexName="history",
            KeyConditionExpression="dataset = :dataset",
            ExpressionAttributeValues={":dataset": {"S": dataset}},
            ScanIndexForward=False,
            Limit=min(limit, 100),
        )
        return [parse_batch(item) for item in islice(readable(pages), limit)]

    def all(self, dataset: str) -> list[Batch]:
        """Returns every batch of the dataset, latest first, from the index."""
        return self.recent(dataset, 1 << 31)

    def _batch_writes(self, batch: Batch) -> tuple[Batch, list[dict[str, Any]]]:
        saved = replace(batch, version=batch.version + 1)
        put = {"TableName": self.table.name, "Item": batch_item(saved), **self.table.unwritten_since(batch.version)}
        return saved, [{"Put": put}, {"Update": self.table.write_item(attempt_item(saved), BATCH_NAMES)}]
