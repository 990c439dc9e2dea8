"""Batches and files that the ledger's tests begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.simulation.dynamodb import SimDynamoDB
from tidemark.adapters.ledger import Ledger
from tidemark.core.files import FileVersion, Holder
from tidemark.core.lifecycle import Batch, State

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def batch(name: str = "web.t.1", **changes: Any) -> Batch:
    return replace(Batch(name, "web", NOON, NOON, due_at=NOON), **changes)


def newer(file: FileVersion, version: str = "v2") -> FileVersion:
    return replace(file, version=version, sequencer=f"0B{version[1:]}")


def stored(dynamodb: Any) -> list[Mapping[str, Any]]:
    """Everything that the ledger holds."""
    return sorted(dynamodb.scan(TableName="ledger")["Items"], key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def in_memory(now: Callable[[], datetime] = lambda: NOON) -> SimDynamoDB:
    """A table in memory, for tests that write much."""
    return SimDynamoDB(lambda _, effect, once=False: effect(), now, lambda: 0.0, lambda *_: None, lambda: False)


@pytest.fixture
def segments(ledger: Ledger, file: FileVersion, noon: datetime) -> tuple[str, ...]:
    """The sort keys of two pending segments of one file each, oldest first."""
    later = replace(file, key="web/c.json", landed_at="2026-03-01T11:59:30Z")
    for each in (later, file):
        ledger.segments.put("web", [each], noon)
    return tuple(segment.sk for segment in ledger.segments.pending("web"))


@pytest.fixture
def held(ledger: Ledger, file: FileVersion, noon: datetime) -> Holder:
    """The file, claimed by batch `web.t.1`, which is saved."""
    ledger.files.claim(file, "web", "web.t.1", noon)
    ledger.batches.save(batch(state=State.LOADED, due_at=None))
    return Holder(file, "web.t.1")


def refused(ledger: Ledger, file: FileVersion) -> Batch:
    """The batch that holds the file, at its second attempt, without the file."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    return ledger.files.refuse(replace(read, attempt=2, changes=1, reason="not JSON"), file)
