from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidemark.adapters.ledger import Ledger
from tidemark.core.dataset_lock import LockHolder
from tidemark.core.errors import Conflict
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import Batch, State

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST, SECOND, THIRD = LockHolder("sales.t.1", 1), LockHolder("sales.t.2", 1), LockHolder("sales.t.3", 1)


def batch(name: str, created_at: datetime = NOON, **changes: Any) -> Batch:
    return replace(Batch(name, "sales", created_at, NOON, state=State.PUBLISHED, due_at=NOON), **changes)


def keys(name: str) -> DataFile:
    return DataFile(f"s3://lake/{name}/keys/part-0.parquet", 3, 99)


def test_a_dataset_has_one_turn(ledger: Ledger) -> None:
    """Whoever took it last has it; another dataset's is its own."""
    assert ledger.locks.holder("sales") is None
    ledger.locks.take("sales", FIRST, None)
    ledger.locks.take("sales", SECOND, FIRST)
    assert ledger.locks.holder("sales") == SECOND
    assert ledger.locks.holder("web") is None


@pytest.mark.parametrize("after", [None, FIRST, replace(SECOND, attempt=2)])
def test_of_two_that_found_it_over_one_takes_the_turn(ledger: Ledger, after: LockHolder | None) -> None:
    """The one who looked at an older holder, or at none, gets a conflict and changes nothing."""
    ledger.locks.take("sales", FIRST, None)
    ledger.locks.take("sales", SECOND, FIRST)
    with pytest.raises(Conflict):
        ledger.locks.take("sales", THIRD, after)
    assert ledger.locks.holder("sales") == SECOND


def test_a_published_batch_and_its_keys_are_saved_together(ledger: Ledger) -> None:
    """Where the batch has moved meanwhile, its keys are not remembered either."""
    read = ledger.batches.save(batch("sales.t.1", state=State.RUNNING))
    ledger.batches.save(read)
    with pytest.raises(Conflict):
        ledger.seen_keys.save_with_batch(replace(read, state=State.PUBLISHED), [keys("1")])
    assert ledger.seen_keys.shown("sales", NOON, NOON, besides="") == []


def test_the_keys_of_all_others_of_the_time_are_listed(ledger: Ledger) -> None:
    """Both ends of the window count; the batch's own keys, other datasets' and those of other times do not."""
    moments = {"sales.t.1": -3, "sales.t.2": -2, "sales.t.3": 0, "sales.t.4": 2, "sales.t.5": 3}
    for name, hours in moments.items():
        ledger.seen_keys.save_with_batch(batch(name, NOON + hours * HOUR), [keys(name)])
    ledger.seen_keys.save_with_batch(batch("web.t.1", dataset="web"), [keys("web")])
    found = ledger.seen_keys.shown("sales", NOON - 2 * HOUR, NOON + 2 * HOUR, besides="sales.t.3")
    assert found == [keys("sales.t.2"), keys("sales.t.4")]


def test_the_next_attempts_keys_replace_the_keys(ledger: Ledger) -> None:
    """What the older attempt had shown is shown no more; a batch without rows has no keys."""
    saved = ledger.seen_keys.save_with_batch(batch("sales.t.1"), [keys("old")])
    saved = ledger.seen_keys.save_with_batch(replace(saved, attempt=2), [keys("new"), keys("more")])
    assert ledger.seen_keys.shown("sales", NOON, NOON, besides="") == [keys("new"), keys("more")]
    ledger.seen_keys.save_with_batch(replace(saved, attempt=3), [])
    assert ledger.seen_keys.shown("sales", NOON, NOON, besides="") == []
