from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.dataset import Dataset, Nightly, Read, Table
from tidemark.core.dataset_lock import LockHolder, in_order_to_run, is_ready, is_released, needs_lock, window
from tidemark.core.lifecycle import TRANSITIONS, Batch, RunStarted, State

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
MINUTE, WEEK = timedelta(minutes=1), timedelta(days=7)


def batch(name: str = "sales.t.1", **changes: Any) -> Batch:
    return replace(Batch(name, "sales", NOON, NOON, state=State.PLANNED), **changes)


def dataset(deduplication_window: timedelta | None, nightly: Nightly | None = None) -> Dataset:
    facts = Table("sales", "facts", (), deduplicate="id", deduplication_window=deduplication_window)
    return Dataset("sales", "sales/", (), "sales", (facts,), nightly=nightly)


def test_only_who_remembers_waits_for_others() -> None:
    """Without `deduplication_window` batches run side by side; a nightly job has no producers that repeat
    themselves.
    """
    assert needs_lock(dataset(WEEK))
    assert not needs_lock(dataset(None))
    assert not needs_lock(dataset(WEEK, Nightly("day", (Read("sales"),))))


@pytest.mark.parametrize("state", State)
def test_a_turn_lasts_from_planned_to_published(state: State) -> None:
    """It is over with any state behind the run, and with any other attempt."""
    lasts = state in (State.PLANNED, State.RUNNING)
    assert is_released(LockHolder("sales.t.1", 2), batch(state=state, attempt=2)) == (not lasts)
    assert is_released(LockHolder("sales.t.1", 2), batch(state=state, attempt=3))


def test_the_turn_of_a_batch_that_is_gone_is_over() -> None:
    """A ledger that was restored from yesterday's copy stops nobody."""
    assert is_released(LockHolder("sales.t.1", 1), None)


def test_a_turn_that_is_over_stays_over() -> None:
    """No move leads back to PLANNED or RUNNING except through FORMING, which begins the next attempt."""
    lasting = (State.PLANNED, State.RUNNING)
    back = {
        event
        for state, moves in TRANSITIONS.items()
        for event, target in moves.items()
        if target in lasting and state not in (*lasting, State.FORMING)
    }
    assert back == set()
    assert TRANSITIONS[State.PLANNED][RunStarted] is State.RUNNING


@pytest.mark.parametrize(
    ("changes", "ready"),
    [
        ({}, True),
        ({"not_before": NOON}, True),
        ({"not_before": NOON + MINUTE}, False),
        ({"state": State.RUNNING}, False),
        ({"state": State.FORMING}, False),
        ({"state": State.QUARANTINED}, False),
    ],
)
def test_a_batch_is_ready_when_planned_and_not_told_to_wait(changes: dict[str, Any], ready: bool) -> None:
    """A backoff holds up the batch, not those behind it."""
    assert is_ready(batch(**changes), NOON) == ready


@given(st.permutations([batch(f"sales.t.{n}", created_at=NOON + n * MINUTE) for n in range(5)]))
def test_the_oldest_that_is_ready_is_next(listed: list[Batch]) -> None:
    """Whatever the index's order; a batch that waits for its backoff is passed over."""
    waiting = [replace(one, not_before=NOON + MINUTE) if one.batch_id == "sales.t.0" else one for one in listed]
    assert [one.batch_id for one in in_order_to_run(waiting, NOON)] == [
        "sales.t.1",
        "sales.t.2",
        "sales.t.3",
        "sales.t.4",
    ]


def test_the_window_reaches_to_both_sides() -> None:
    """A batch that runs again knows what younger ones have shown since, as they knew it."""
    assert window(dataset(WEEK), batch()) == (NOON - WEEK, NOON + WEEK)
