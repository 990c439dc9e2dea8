"""From an ended run to rows in the lake, or to what its failure asks for."""

from __future__ import annotations

import re

import pytest

from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import (
    FAILED_TWICE,
    PLANNED,
    RAN,
    RUN,
    land,
    minutes,
    orders,
    plan,
    runs_end,
    submit,
)
from tidemark.core.lifecycle import State
from tidemark.service.publish import publish, publish_run


def rows(hand: Hand) -> list[str]:
    return sorted(row[0] for row in hand.simulation.catalog.rows("orders"))


def test_a_run_that_ended_well_is_published(hand: Hand) -> None:
    """Its rows are in the lake, and the batch counts them."""
    did(hand, *RAN)
    asked(hand, publish, hand.batch(0))
    batch = batch_of(hand)
    assert (batch.state, batch.counts.read, batch.counts.kept) == (State.PUBLISHED, 2, 2)
    assert rows(hand) == ["a1", "b1"]


def test_a_run_that_goes_on_is_waited_for(hand: Hand) -> None:
    """Nothing changes until EMR says that it has ended."""
    did(hand, *PLANNED, submit())
    before = batch_of(hand)
    asked(hand, publish, hand.batch(0))
    assert (batch_of(hand), hand.simulation.catalog.named("orders")) == (before, None)


def test_an_event_of_a_run_leads_to_its_batch(hand: Hand) -> None:
    """Also where the submitter has not saved the run yet; a run that EMR does not know leads nowhere."""
    did(hand, *RAN)
    asked(hand, publish_run, "run00009")
    assert batch_of(hand).state is State.RUNNING
    asked(hand, publish_run, "run00000")
    assert batch_of(hand).state is State.PUBLISHED


@pytest.mark.parametrize(
    ("outcome", "state", "reason"),
    [
        ("short", State.QUARANTINED, "expected"),
        ("empty", State.PLANNED, "the run succeeded and left no result"),
        ("transient", State.PLANNED, "SlowDown"),
    ],
)
def test_a_run_that_failed_shows_no_row(hand: Hand, outcome: str, state: State, reason: str) -> None:
    """Counts that differ ask for a person; what may pass is tried again."""
    did(hand, orders(), land("a", "a1", "a2"), plan, runs_end(outcome), *RUN)
    asked(hand, publish, hand.batch(0))
    batch = batch_of(hand)
    assert (batch.state, reason in (batch.reason or batch.because)) == (state, True)
    assert hand.simulation.catalog.named("orders") is None


def test_a_file_that_a_run_names_is_set_aside(hand: Hand) -> None:
    """The batch runs again without it, and the file waits for a person."""
    did(hand, orders(), land("a", poison="named"), land("b", "b1"), plan, *RUN)
    asked(hand, publish, hand.batch(0))
    [refused] = asked(hand, lambda world: world.ledger.quarantine.contents()[1])
    assert (refused.file.key, batch_of(hand).state, batch_of(hand).attempt) == ("orders/a", State.FORMING, 2)


def test_what_fails_twice_for_no_known_reason_is_halved(hand: Hand) -> None:
    """Each half has one of the two files."""
    did(hand, *FAILED_TWICE)
    asked(hand, publish, hand.batch(0))
    parent = batch_of(hand)
    children = [asked(hand, lambda world, child=child: world.ledger.batches.get(child)) for child in parent.children]
    assert parent.state is State.SPLIT
    assert [(child.parent, child.file_range) for child in children] == [
        (parent.batch_id, (0, 1)),
        (parent.batch_id, (1, 2)),
    ]


def test_a_run_that_was_killed_for_its_memory_is_tried_with_larger_workers(hand: Hand) -> None:
    """Two files, which are never split for that; what the largest workers cannot hold waits for a person."""
    killed = runs_end("killed", "killed", "killed")
    did(hand, orders(), land("a", "a1"), land("b", "b1"), plan, killed)
    for _ in range(3):
        did(hand, minutes(30), *RUN)
        asked(hand, publish, hand.batch(0))
    batch, runs = batch_of(hand), hand.simulation.emr.runs
    assert (batch.state, len(runs)) == (State.QUARANTINED, 3)
    assert batch.reason.startswith("the largest workers were too small: ExitCode: 137.")
    memory = [re.findall(r"spark\.executor\.memory=(\w+)|spark\.task\.cpus=(\d)", run.parameters) for run in runs]
    assert [dict.fromkeys(part for pair in pairs for part in pair if part) for pairs in memory] == [
        {"2048m": None, "1": None},
        {"15360m": None, "1": None},
        {"15360m": None, "4": None},
    ]
