"""Items that only a newer release may act on. Every list leaves them out; sweep asks for them here and reports them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from tidemark.adapters.ledger.items import LOADS, QUARANTINE, Item, is_newer, pending_key
from tidemark.adapters.ledger.table import Table

#: Oldest segments of a dataset that are looked at, so that a backlog of millions costs no more.
SEGMENTS_MAX = 100


class Newer:
    def __init__(self, table: Table) -> None:
        self.table = table

    def names(self, datasets: Iterable[str]) -> list[str]:
        """Returns the keys of the newer items among what is not at rest or pending of these datasets, as text."""
        return [f"{item['pk']['S']} {item['sk']['S']}" for item in self._waiting(datasets) if is_newer(item)]

    def _waiting(self, datasets: Iterable[str]) -> Iterator[Item]:
        for partition in (*datasets, LOADS, QUARANTINE):
            yield from self.table.open(partition)
        for dataset in datasets:
            for background in (False, True):
                yield from self._segments(pending_key(dataset, background))

    def _segments(self, pending: str) -> Iterator[Item]:
        pages = self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pending}},
            ConsistentRead=True,
            Limit=SEGMENTS_MAX,
        )
        return islice(pages, SEGMENTS_MAX)
