"""Pending segments: the files that one collect invocation saw, kept until their batch has a manifest.

A segment is two items. Its *head* is small: planners list heads, and write the batch that takes a segment into its
head. Its *body* holds the packed files; it is written before the head, and deleted before it, once all files are
claimed. Backfilled segments have a partition of their own, so that neither kind has to be read to find the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from tidemark.adapters.ledger.items import from_item, pending_key, readable, segment_key
from tidemark.adapters.ledger.table import Table, key_of
from tidemark.clock import from_iso, iso
from tidemark.core.batching import PendingSegment, Segment
from tidemark.core.files import FileVersion, pack, unpack
from tidemark.core.naming import segment_id
from tidemark.core.release import FORMAT_NAME

#: Heads that one plan reads, oldest first: 0.75 MB, with more files than ten plans can start.
HEADS_MAX = 5_000


class Segments:
    def __init__(self, table: Table) -> None:
        self.table = table

    def put(self, dataset: str, files: Sequence[FileVersion], now: datetime, background: bool = False) -> None:
        """Writes files as one pending segment. Its name is a hash of the files, so a repetition writes the same items.

        Closes the race with a planner that has taken the segment meanwhile: its batch stays in the head.
        """
        packed = pack(files)
        oldest = min((file.landed_at for file in files if file.landed_at), default=None)
        oldest_at = min(from_iso(oldest), now) if oldest else now
        sk = f"{iso(oldest_at)}#{segment_id(packed)}"
        body = {"pk": segment_key(dataset, sk), "sk": "SEGMENT", "packed": packed}
        self.table.put(body, condition="attribute_not_exists(pk)", ignore_failed=True)
        self.table.put(
            {
                "pk": pending_key(dataset, background),
                "sk": sk,
                "files": len(files),
                "bytes": sum(file.size for file in files),
                "oldest_at": oldest_at,
            },
            condition="attribute_not_exists(pk)",
            ignore_failed=True,
        )

    def pending(self, dataset: str, background: bool = False, limit: int = HEADS_MAX) -> list[Segment]:
        """Returns up to `limit` pending segments, oldest first (consistent read).

        Leaves out those of a newer release.
        """
        names = {"#files": "files", "#bytes": "bytes", "#format": FORMAT_NAME}
        pages = self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pending_key(dataset, background)}},
            ProjectionExpression="sk, #files, #bytes, oldest_at, batch_id, #format",
            ExpressionAttributeNames=names,
            ConsistentRead=True,
            Limit=min(limit, 1_000),
        )
        return [_segment(dataset, from_item(item), background) for item in islice(readable(pages), limit)]

    def all(self, dataset: str) -> list[Segment]:
        """Returns every pending segment of the dataset, fresh ones first; slow for a large backlog."""
        unlimited = 1 << 31
        return [segment for background in (False, True) for segment in self.pending(dataset, background, unlimited)]

    def files(self, dataset: str, sk: str) -> list[FileVersion]:
        """Returns the files of a segment; none if it was deleted, for then all of them are claimed."""
        item = self.table.get(segment_key(dataset, sk), "SEGMENT")
        return unpack(from_item(item)["packed"]) if item else []

    def delete(self, dataset: str, sk: str, background: bool = False) -> None:
        """Deletes a segment whose files are all claimed and in a manifest."""
        self.table.client.delete_item(TableName=self.table.name, Key=key_of(segment_key(dataset, sk), "SEGMENT"))
        self.table.client.delete_item(TableName=self.table.name, Key=key_of(pending_key(dataset, background), sk))

    def free(self, dataset: str, sk: str, background: bool) -> None:
        """Removes the batch from a pending segment's head, so that a planner takes the segment again."""
        item = self.table.get(pending_key(dataset, background), sk)
        if item:
            head = {name: value for name, value in item.items() if name != "batch_id"}
            self.table.client.put_item(TableName=self.table.name, Item=head)


def _segment(dataset: str, values: Mapping[str, Any], background: bool) -> Segment:
    oldest_at = from_iso(values["oldest_at"])
    head = PendingSegment(dataset, values["sk"], values["files"], values["bytes"], oldest_at, background)
    return Segment(head, values["sk"], values.get("batch_id", ""))
