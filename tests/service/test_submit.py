"""One run for each attempt."""

from __future__ import annotations

import pytest

import tidemark.service.submit as submit_module
from tests.service.steps import asked, batch_of, did
from tests.simulation.faults import Killed
from tests.simulation.race import Hand
from tests.simulation.small_worlds import PLANNED, TURNS, minutes, publish, wait
from tidemark.core.draining import DRAIN_LEASE, lease
from tidemark.core.job import JobSpec
from tidemark.core.lifecycle import State
from tidemark.service.submit import submit


def runs(hand: Hand) -> list[str]:
    return [run.name for run in hand.simulation.emr.runs]


def test_a_planned_batch_gets_a_run(hand: Hand) -> None:
    """It is RUNNING then, and the run was given the batch's manifest."""
    did(hand, *PLANNED)
    asked(hand, submit, hand.batch(0))
    batch = batch_of(hand)
    assert (batch.state, batch.run_id, runs(hand)) == (State.RUNNING, "run00000", [f"{hand.batch(0)}.1"])
    spec = JobSpec.loads(hand.simulation.emr.runs[0].told)
    assert (spec.batch_id, spec.manifest) == (batch.batch_id, f"s3://control/{batch.manifest}")


def test_only_what_is_planned_gets_a_run(hand: Hand) -> None:
    """A second hint, a hint that comes late and one of an unknown batch start nothing."""
    did(hand, *PLANNED)
    asked(hand, submit, hand.batch(0))
    asked(hand, submit, hand.batch(0))
    did(hand, wait, publish())
    asked(hand, submit, hand.batch(0))
    asked(hand, submit, "orders.20260101T000000.bbbbbbbb")
    assert len(runs(hand)) == 1


@pytest.mark.parametrize("after", [1, 30])
def test_a_run_whose_submitter_died_is_found(hand: Hand, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """By the client token at first, and by the run's name when EMR may have forgotten the token."""
    did(hand, *PLANNED)

    def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(submit_module, "move", dies)
        with pytest.raises(Killed):
            asked(hand, submit, hand.batch(0))
    did(hand, minutes(after))
    if after > 5:
        hand.simulation.emr.tokens.clear()
    asked(hand, submit, hand.batch(0))
    assert (len(runs(hand)), batch_of(hand).run_id) == (1, "run00000")


def test_no_run_starts_while_a_deployment_drains_the_application(hand: Hand) -> None:
    """The batch stays PLANNED. The deployer dies and never ends the drain: sweep's hint after the lease starts it."""
    did(hand, *PLANNED)
    asked(hand, lambda world: world.ledger.drains.put(lease("ann", world.clock.now()), None))
    asked(hand, submit, hand.batch(0))
    assert (batch_of(hand).state, runs(hand)) == (State.PLANNED, [])
    did(hand, minutes(DRAIN_LEASE.total_seconds() / 60))
    asked(hand, submit, hand.batch(0))
    assert (batch_of(hand).state, len(runs(hand))) == (State.RUNNING, 1)


def test_a_drained_dataset_does_not_pass_its_lock_on(hand: Hand) -> None:
    """Where batches run one at a time, the batch that may not start yet does not take the lock either."""
    did(hand, *TURNS)
    asked(hand, lambda world: world.ledger.drains.put(lease("ann", world.clock.now()), None))
    asked(hand, submit, hand.batch(0))
    assert asked(hand, lambda world: [world.ledger.locks.holder("orders")]) == [None]
