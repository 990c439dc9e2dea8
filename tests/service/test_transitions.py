"""Moves of a batch, and the hints that follow."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import OVERWRITTEN, PLANNED, plan, submit
from tests.simulation.world import declare
from tidemark.core.errors import Conflict, IllegalMove, Transient
from tidemark.core.lifecycle import Batch, Poisoned, RunStarted, State
from tidemark.service.transitions import (
    dataset_of,
    hint,
    known_datasets,
    move,
    same_but_changes,
    unfinished_batches,
)


def test_a_move_is_saved(hand: Hand) -> None:
    """What comes back is what the ledger holds."""
    did(hand, *PLANNED)
    moved = asked(hand, move, batch_of(hand), RunStarted(1, "run-1"))
    assert (moved.state, moved.run_id) == (State.RUNNING, "run-1")
    assert moved == batch_of(hand)


def test_a_move_that_does_not_fit_changes_nothing(hand: Hand) -> None:
    """An event of another attempt, and one after somebody else has moved the batch."""
    did(hand, *PLANNED)
    planned = batch_of(hand)
    with pytest.raises(IllegalMove):
        asked(hand, move, planned, RunStarted(2, "run-1"))
    asked(hand, move, planned, RunStarted(1, "run-1"))
    with pytest.raises(Conflict):
        asked(hand, move, planned, Poisoned(1, "too late"))
    assert batch_of(hand).state is State.RUNNING


def test_a_change_of_a_file_does_not_stop_a_move(hand: Hand) -> None:
    """The batch was read before a file of it was overwritten: the move is made on the batch as it is."""
    did(hand, *PLANNED)
    outdated = batch_of(hand)
    did(hand, OVERWRITTEN, plan)
    assert batch_of(hand).changes == 1
    moved = asked(hand, move, outdated, RunStarted(1, "run-1"))
    assert (moved.state, moved.changes) == (State.RUNNING, 1)


def test_a_batch_whose_files_change_all_the_time_is_moved_later(hand: Hand) -> None:
    """Twenty saves are tried, each on the batch as it is then."""
    did(hand, *PLANNED)
    tried = []

    def loses(moved: Batch) -> Batch:
        tried.append(moved)
        now = hand.simulation.world.ledger.batches.get(moved.batch_id)
        hand.simulation.world.ledger.batches.save(replace(now, changes=now.changes + 1))
        raise Conflict("lost")

    with pytest.raises(Transient, match="files are overwritten faster than it can be moved"):
        asked(hand, move, batch_of(hand), RunStarted(1, "run-1"), loses)
    assert [moved.changes for moved in tried] == list(range(20))


def test_changes_alone_make_no_other_batch() -> None:
    """Version and changes may differ, nothing else."""
    batch = Batch("orders.t.1", "orders", *[declared_at()] * 2)
    assert same_but_changes(batch, replace(batch, changes=3, version=9))
    assert not same_but_changes(batch, replace(batch, attempt=2))


def declared_at() -> Any:
    from tests.simulation.stage import START

    return START


def test_a_dataset_outlives_its_declaration(hand: Hand) -> None:
    """As long as the ledger knows it; the declaration that is deployed counts before the remembered one."""
    did(hand, *PLANNED)
    hand.simulation.declared["clicks"] = declare("clicks", "ignore", 5, 2)
    del hand.simulation.declared["orders"]
    assert set(asked(hand, known_datasets)) == {"orders", "clicks"}
    assert asked(hand, dataset_of, "orders").batch.max_files == 10
    hand.simulation.declared["orders"] = declare("orders", "ignore", 5, 2)
    assert asked(hand, dataset_of, "orders").batch.max_files == 5


def test_what_is_under_way_is_listed(hand: Hand) -> None:
    """Of the datasets that are asked for."""
    did(hand, *PLANNED)
    assert [one.batch_id for one in asked(hand, unfinished_batches, ["orders"])] == [hand.batch(0)]
    assert asked(hand, unfinished_batches, ["clicks"]) == []


def test_hints_name_batch_state_and_attempt(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten go into one call, which is what EventBridge takes."""
    did(hand, *PLANNED, submit())
    batch, sent = batch_of(hand), []

    class Events:
        def put_events(self, Entries: list[dict[str, str]]) -> dict[str, int]:  # noqa: N803
            sent.append(Entries)
            return {"FailedEntryCount": 1}

    monkeypatch.setitem(hand.simulation.world.clients, "events", Events())
    asked(hand, hint, [batch] * 11)
    assert [len(entries) for entries in sent] == [10, 1]
    assert (sent[1][0]["Source"], sent[1][0]["DetailType"]) == ("tide", "Batch Due")
    assert json.loads(sent[1][0]["Detail"]) == {
        "batch_id": hand.batch(0), "state": "RUNNING", "attempt": 1, "nightly": False,
    }  # fmt: skip
