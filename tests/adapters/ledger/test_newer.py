"""An item of a newer release is left out of every list, refused where a decision rests on it, and reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.adapters.ledger.conftest import NOON, batch, in_memory, refused
from tests.simulation.dynamodb import SimDynamoDB
from tidemark.adapters.ledger import Ledger
from tidemark.core.dataset_lock import LockHolder
from tidemark.core.errors import NewerRelease
from tidemark.core.files import FileVersion, Holder
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import State
from tidemark.core.loading import Load

HOLDER = LockHolder("web.t.1", 1)


@pytest.fixture
def dynamodb() -> SimDynamoDB:
    """The table, in memory."""
    return in_memory()


@pytest.fixture
def full(ledger: Ledger, held: Holder, file: FileVersion, noon: datetime) -> Ledger:
    """A ledger with an item of each kind."""
    refused(ledger, file)
    ledger.segments.put("web", [replace(file, key="web/pending.json")], noon)
    ledger.controls.set("NIGHT", {"started": "x"})
    ledger.day_changes.record("web_events", "2026-03-01", 7)
    ledger.locks.take("web", HOLDER, None)
    ledger.declarations.register("web", {"name": "web"})
    ledger.warehouse_tables.put_columns("web_events", {"day": "date"})
    loading = ledger.batches.save(batch("web.t.2", state=State.PUBLISHED))
    ledger.loads.begin(Load("load.1", noon, (("web.t.2", 1),), ("web",)), [replace(loading, load_id="load.1")])
    ledger.table.transact([ledger.seen_keys.record(batch("web.t.3"), 1, [DataFile("s3://lake/keys", 1, 2)])])
    return ledger


def make_newer(dynamodb: SimDynamoDB) -> None:
    """A newer release writes every item."""
    for item in [item for items in dynamodb.items.values() for item in items.values()]:
        assert item.get("format") == (None if item["pk"]["S"].startswith("CHANGED#") else {"N": "1"})
        dynamodb.put_item(Item={**item, "format": {"N": "2"}})


LISTS: dict[str, Callable[[Ledger], object]] = {
    "open batches": lambda ledger: ledger.batches.open("web"),
    "all batches": lambda ledger: ledger.batches.all("web"),
    "named batches": lambda ledger: list(ledger.batches.named(["web.t.1", "web.t.2"])),
    "attempts": lambda ledger: ledger.batches.attempts("web.t.2"),
    "open loads": lambda ledger: ledger.loads.open(),
    "files in quarantine": lambda ledger: ledger.quarantine.contents()[1],
    "segments": lambda ledger: ledger.segments.pending("web"),
    "declarations": lambda ledger: ledger.declarations.all(),
    "day changes": lambda ledger: ledger.day_changes.of("web_events"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_leaves_out_what_is_newer(full: Ledger, dynamodb: SimDynamoDB, name: str) -> None:
    """So that everything else goes on."""
    assert LISTS[name](full)
    make_newer(dynamodb)
    assert not LISTS[name](full)


READS: dict[str, Callable[[Ledger, FileVersion], object]] = {
    "a batch": lambda ledger, file: ledger.batches.get("web.t.1"),
    "a load": lambda ledger, file: ledger.loads.get("load.1"),
    "a claim": lambda ledger, file: ledger.files.claim(file, "web", "web.t.9", NOON),
    "the holder of a key": lambda ledger, file: ledger.files.holder(file.bucket, file.key),
    "the changes of a batch": lambda ledger, file: ledger.files.changes("web.t.1"),
    "a segment": lambda ledger, file: ledger.segments.files("web", "2026-03-01T11:59:00.000000Z#" + SEGMENT[0]),
    "the lock": lambda ledger, file: ledger.locks.holder("web"),
    "seen keys": lambda ledger, file: ledger.seen_keys.shown("web", NOON, NOON + timedelta(days=1), "web.t.1"),
    "a control": lambda ledger, file: ledger.controls.get("NIGHT"),
    "a warehouse table": lambda ledger, file: ledger.warehouse_tables.columns("web_events"),
}
SEGMENT: list[str] = []


@pytest.mark.parametrize("name", READS)
def test_what_a_decision_rests_on_is_refused_if_it_is_newer(
    full: Ledger, dynamodb: SimDynamoDB, file: FileVersion, name: str
) -> None:
    """Absence would be a wrong answer: a key without a holder would be claimed twice."""
    SEGMENT[:] = [full.segments.pending("web")[0].sk.partition("#")[2]]
    assert READS[name](full, file)
    make_newer(dynamodb)
    with pytest.raises(NewerRelease, match=r"is of format 2, this release reads formats up to 1: deploy the newer rel"):
        READS[name](full, file)


def test_what_is_newer_and_not_at_rest_is_reported(full: Ledger, dynamodb: SimDynamoDB) -> None:
    """By its keys, for a log; what is at rest waits for nothing."""
    assert full.newer.names(["web"]) == []
    make_newer(dynamodb)
    names = {name.split()[0].partition("#")[0] for name in full.newer.names(["web"])}
    assert names == {"BATCH", "LOAD", "FILE", "PENDING"}


def test_a_newer_pause_is_a_pause(ledger: Ledger, dynamodb: SimDynamoDB) -> None:
    """Whatever else it says."""
    ledger.controls.pause("web", paused=True)
    make_newer(dynamodb)
    assert ledger.controls.paused("web")
