"""Marks in moto's DynamoDB: they only rise, and are read back by table."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tidemark.adapters.ledger import Ledger
from tidemark.core.lifecycle import Batch

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_marks_are_read_back_by_table(ledger: Ledger) -> None:
    """Days and the table as a whole; another table's marks, and batches, are not among them."""
    for table, day, sequence in (("sales", "2026-03-01", 4), ("sales", "", 5), ("salesmen", "2026-03-01", 9)):
        ledger.day_changes.record(table, day, sequence)
    assert ledger.day_changes.of("sales") == {"2026-03-01": 4, "": 5}
    assert ledger.day_changes.of("never_marked") == {}


@pytest.mark.parametrize(("sequences", "left"), [((4, 7), 7), ((7, 4), 7), ((4, 4), 4)])
def test_a_mark_never_falls(ledger: Ledger, sequences: tuple[int, ...], left: int) -> None:
    """Of two publishers the later commit counts, in whichever order they come; repeating a mark is fine."""
    for sequence in sequences:
        ledger.day_changes.record("sales", "2026-03-01", sequence)
    assert ledger.day_changes.of("sales") == {"2026-03-01": left}


def test_batches_are_looked_up_by_their_names_however_many(ledger: Ledger) -> None:
    """More than one request holds, and ids of which there is no batch are left out."""
    names = [f"job.20260301T000000.{number:08d}" for number in range(130)]
    for name in names[::2]:
        ledger.batches.save(Batch(name, "job", NOON, NOON, period="2026-03-01"))
    assert sorted(batch.batch_id for batch in ledger.batches.named(names)) == names[::2]
    assert list(ledger.batches.named([])) == []
