"""Pending files, by segment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.ledger.conftest import NOON, batch
from tidemark.adapters.ledger import Ledger
from tidemark.core.files import FileVersion


def test_a_segment_gives_its_files_back(ledger: Ledger, file: FileVersion, segments: tuple[str, ...]) -> None:
    """Segments are listed oldest first, with what the policy needs."""
    first = ledger.segments.pending("web")[0]
    assert (first.head.files, first.head.bytes, first.batch_id) == (1, 5, "")
    assert first.head.oldest_at == NOON - timedelta(minutes=1)
    assert ledger.segments.files("web", first.sk) == [file]


def test_the_same_files_are_one_segment(ledger: Ledger, file: FileVersion, segments: tuple[str, ...]) -> None:
    """A repeated invocation writes the same item."""
    ledger.segments.put("web", [file], NOON + timedelta(seconds=9))
    assert tuple(segment.sk for segment in ledger.segments.pending("web")) == segments


def test_a_segment_that_is_worked_off_keeps_its_mark(
    ledger: Ledger, file: FileVersion, segments: tuple[str, ...]
) -> None:
    """A redelivery while the planner is at it does not free the segment for a second batch."""
    ledger.batches.begin(batch(segments=segments))
    ledger.segments.put("web", [file], NOON)
    assert [segment.batch_id for segment in ledger.segments.pending("web")] == ["web.t.1", "web.t.1"]


@pytest.mark.parametrize("landed_at", [None, "2026-03-01T13:00:00Z"])
def test_a_segment_is_never_younger_than_now(ledger: Ledger, file: FileVersion, landed_at: str | None) -> None:
    """Without a landing, or with one from a clock ahead, the wait begins now."""
    ledger.segments.put("web", [replace(file, landed_at=landed_at)], NOON)
    assert ledger.segments.pending("web")[0].head.oldest_at == NOON


def test_a_forgotten_segment_has_no_files(ledger: Ledger, segments: tuple[str, ...]) -> None:
    """Forgetting twice harms nothing."""
    for _ in range(2):
        ledger.segments.delete("web", segments[0])
    assert ledger.segments.files("web", segments[0]) == []
    assert [segment.sk for segment in ledger.segments.pending("web")] == [segments[1]]


def test_segments_beyond_one_page_are_listed(ledger: Ledger, dynamodb: Any) -> None:
    """DynamoDB answers with a megabyte at a time; all of it is pending, and another dataset's is not."""
    for number in range(5):
        item = {
            "pk": {"S": "PENDING#web"}, "sk": {"S": f"2026-03-01T12:00:0{number}.000000Z#s"},
            "packed": {"B": b"x" * 300_000}, "files": {"N": "1"}, "bytes": {"N": "5"},
            "oldest_at": {"S": "2026-03-01T12:00:00.000000Z"},
        }  # fmt: skip
        dynamodb.put_item(TableName="ledger", Item=item)
    query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "PENDING#web"}}}
    assert "LastEvaluatedKey" in dynamodb.query(TableName="ledger", **query)
    assert len(ledger.segments.pending("web")) == 5
    assert ledger.segments.pending("app") == []
