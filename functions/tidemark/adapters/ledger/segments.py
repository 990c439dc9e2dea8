"""Pending segments: what one collect invocation saw, until a batch has its manifest.

A segment is two items. Its *head* is small: planners list heads, and mark the one that a batch takes. Its *body* holds
the packed files; it is written first, before the head that names it, and deleted first, once all its files are claimed.
Backfilled segments lie apart, so that neither kind has to be read to find the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from tidemark.adapters.ledger.items import from_item, pending_key, segment_key
from tidemark.adapters.ledger.table import Table, key_of
from tidemark.clock import from_iso, iso
from tidemark.core.batching import PendingSegment, Segment
from tidemark.core.files import FileVersion, pack, unpack
from tidemark.core.naming import segment_id

#: Heads that one look takes in, the oldest first: 0.75 MB, and more files than ten looks can start.
HEADS_MAX = 5_000


class Segments:
    def __init__(self, table: Table) -> None:
        self.table = table

    def put(self, dataset: str, files: Sequence[FileVersion], now: datetime, background: bool = False) -> None:
        """Remember files as pending. The same files twice at the same time are the same item."""
        packed = pack(files)
        oldest = min((file.landed_at for file in files if file.landed_at), default=None)
        oldest_at = min(from_iso(oldest), now) if oldest else now
        sk = f"{iso(oldest_at)}#{segment_id(packed)}"
        self.table.put({"pk": segment_key(dataset, sk), "sk": "SEGMENT", "packed": packed})
        self.table.put(
            {
                "pk": pending_key(dataset, background),
                "sk": sk,
                "files": len(files),
                "bytes": sum(file.size for file in files),
                "oldest_at": oldest_at,
            },
            # A segment that a planner is working off keeps its mark; taking it twice is what the claims are for.
            condition="attribute_not_exists(batch_id)",
            missed_is_fine=True,
        )

    def pending(self, dataset: str, background: bool = False, limit: int = HEADS_MAX) -> list[Segment]:
        """The pending segments, oldest first (consistent read)."""
        names = {"#files": "files", "#bytes": "bytes"}
        pages = self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pending_key(dataset, background)}},
            ProjectionExpression="sk, #files, #bytes, oldest_at, batch_id",
            ExpressionAttributeNames=names,
            ConsistentRead=True,
            Limit=min(limit, 1_000),
        )
        return [_segment(dataset, from_item(item), background) for item in islice(pages, limit)]

    def all(self, dataset: str) -> list[Segment]:
        """Every pending segment of the dataset, fresh ones first; for a person, who may wait."""
        every = 1 << 31
        return [found for background in (False, True) for found in self.pending(dataset, background, every)]

    def files(self, dataset: str, sk: str) -> list[FileVersion]:
        """The files of a segment; none when it is gone, for then all of them are claimed."""
        item = self.table.get(segment_key(dataset, sk), "SEGMENT")
        return unpack(from_item(item)["packed"]) if item else []

    def delete(self, dataset: str, sk: str, background: bool = False) -> None:
        """Forget a segment whose files are claimed and whose manifest stands."""
        self.table.client.delete_item(TableName=self.table.name, Key=key_of(segment_key(dataset, sk), "SEGMENT"))
        self.table.client.delete_item(TableName=self.table.name, Key=key_of(pending_key(dataset, background), sk))

    def free(self, dataset: str, sk: str, background: bool) -> None:
        """Take a batch's mark off a pending segment, so that a planner looks at its files again."""
        item = self.table.get(pending_key(dataset, background), sk)
        if item:
            free = {name: value for name, value in item.items() if name != "batch_id"}
            self.table.client.put_item(TableName=self.table.name, Item=free)


def _segment(dataset: str, found: Mapping[str, Any], background: bool) -> Segment:
    oldest_at = from_iso(found["oldest_at"])
    head = PendingSegment(dataset, found["sk"], found["files"], found["bytes"], oldest_at, background)
    return Segment(head, found["sk"], found.get("batch_id", ""))
