"""Pending segments: what one collect invocation saw, until a batch has its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from tidemark.adapters.items import from_item, pending_key
from tidemark.adapters.ledger.table import Table, key_of
from tidemark.clock import from_iso, iso
from tidemark.core.batching import PendingSegment
from tidemark.core.files import FileVersion, pack, unpack
from tidemark.core.naming import segment_id


@dataclass(frozen=True)
class Segment:
    """A pending segment as listed: what the policy needs, its item's key, and the batch that has taken it."""

    head: PendingSegment
    sk: str
    batch_id: str


class Segments(Table):
    def put_segment(self, dataset: str, files: Sequence[FileVersion], now: datetime) -> None:
        """Remember files as pending. The same files twice at the same time are the same item."""
        packed = pack(files)
        oldest = min((file.landed_at for file in files if file.landed_at), default=None)
        oldest_at = min(from_iso(oldest), now) if oldest else now
        identity = segment_id(packed)
        self._put(
            {
                "pk": pending_key(dataset),
                "sk": f"{iso(oldest_at)}#{identity}",
                "packed": packed,
                "files": len(files),
                "bytes": sum(file.size for file in files),
                "oldest_at": oldest_at,
            },
            # A segment that a planner is working off keeps its mark; taking it twice is what the claims are for.
            condition="attribute_not_exists(batch_id)",
            missed_is_fine=True,
        )

    def segments(self, dataset: str, limit: int | None = None) -> list[Segment]:
        """The pending segments, or the first `limit` of them, oldest first (consistent read)."""
        names = {"#files": "files", "#bytes": "bytes"}
        pages = self._query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pending_key(dataset)}},
            ProjectionExpression="sk, #files, #bytes, oldest_at, batch_id",
            ExpressionAttributeNames=names,
            ConsistentRead=True,
        )
        return [_segment(dataset, from_item(item)) for item in islice(pages, limit)]

    def segment_files(self, dataset: str, sk: str) -> list[FileVersion]:
        """The files of a segment; none when it is gone."""
        item = self._get(pending_key(dataset), sk)
        return unpack(from_item(item)["packed"]) if item else []

    def delete_segment(self, dataset: str, sk: str) -> None:
        """Forget a segment whose files are claimed and whose manifest stands."""
        self.client.delete_item(TableName=self.table, Key=key_of(pending_key(dataset), sk))


def _segment(dataset: str, found: Mapping[str, Any]) -> Segment:
    head = PendingSegment(dataset, found["sk"], found["files"], found["bytes"], from_iso(found["oldest_at"]))
    return Segment(head, found["sk"], found.get("batch_id", ""))
