"""A deployment drains the application, and runs start again afterwards, however it ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import PLANNED, minutes, submit
from tidemark.adapters.world import World
from tidemark.core.draining import DRAIN_LEASE, lease
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import State
from tidemark.service.drain import Lease, drained

HOUR = timedelta(hours=1)


class Deployer:
    """Drains the application and does `change` while it is stopped; sees what goes on meanwhile."""

    def __init__(self, hand: Hand, change: Callable[[World, Lease], None], patience: timedelta = HOUR) -> None:
        self.hand, self.change, self.patience = hand, change, patience
        self.unfinished: list[int] = []  # the number of runs at each look

    def deploy(self, world: World) -> None:
        with drained(world, "ann", self.patience, self._pause, lambda runs, _: self.unfinished.append(len(runs))) as it:
            self.change(world, it)

    def _pause(self, seconds: float) -> None:
        simulation = self.hand.simulation
        until = simulation.stage.time + timedelta(seconds=seconds)
        simulation.stage.after(seconds, "the deployer looks", lambda: None)
        while simulation.stage.time < until:
            simulation.stage.step()


def deployed(hand: Hand, change: Callable[[World, Lease], None], patience: timedelta = HOUR) -> Deployer:
    deployer = Deployer(hand, change, patience)
    asked(hand, deployer.deploy)
    return deployer


def test_the_application_is_stopped_during_the_change(hand: Hand) -> None:
    """A run that had started ends first; a batch that is planned meanwhile waits, and gets its run afterwards."""
    did(hand, *PLANNED, submit())
    seen: list[tuple[str, bool]] = []
    emr = hand.simulation.emr
    deployer = deployed(hand, lambda world, _: seen.append((emr.state, world.ledger.drains.current() is not None)))
    assert seen == [("STOPPED", True)]
    assert (deployer.unfinished[0], deployer.unfinished[-1]) == (1, 0)
    assert asked(hand, lambda world: [world.ledger.drains.current()]) == [None]


def test_a_batch_that_waited_gets_its_hint_at_the_end(hand: Hand) -> None:
    """It need not wait for sweep."""
    did(hand, *PLANNED)
    deployed(hand, lambda *_: None)
    did(hand, minutes(1))
    assert batch_of(hand).state is State.RUNNING


def test_a_change_that_fails_ends_the_drain(hand: Hand) -> None:
    """The pipeline goes on with what was deployed before."""
    did(hand, *PLANNED)

    def fails(*_: object) -> None:
        raise TidemarkError("CloudFormation rolled it back")

    with pytest.raises(TidemarkError, match="rolled it back"):
        deployed(hand, fails)
    assert asked(hand, lambda world: [world.ledger.drains.current()]) == [None]


def test_an_interrupted_change_leaves_the_drain_to_expire(hand: Hand) -> None:
    """CloudFormation goes on without the deployer, so a run must not start the application yet."""
    did(hand, *PLANNED)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deployed(hand, interrupted)
    did(hand, submit())
    assert batch_of(hand).state is State.PLANNED
    did(hand, minutes(DRAIN_LEASE.total_seconds() / 60), submit())
    assert batch_of(hand).state is State.RUNNING


def test_a_run_that_does_not_end_ends_the_patience(hand: Hand) -> None:
    """Nothing was changed, and the drain is over."""
    hand.simulation.emr.run_seconds = lambda: 7200.0
    did(hand, *PLANNED, submit())
    with pytest.raises(TidemarkError, match="unfinished after 10 minutes: nothing was changed"):
        deployed(hand, lambda *_: pytest.fail("it was deployed"), timedelta(minutes=10))
    assert hand.simulation.emr.state == "STARTED"
    assert asked(hand, lambda world: [world.ledger.drains.current()]) == [None]


def test_a_living_deployer_keeps_its_lease(hand: Hand) -> None:
    """A change may take longer than the lease, as long as it is renewed."""
    hand.simulation.emr.run_seconds = lambda: 2 * DRAIN_LEASE.total_seconds()
    did(hand, *PLANNED, submit())
    deployer = deployed(hand, lambda world, it: it.renew(), patience=4 * DRAIN_LEASE)
    assert deployer.unfinished[-1] == 0


def test_the_second_deployment_is_refused(hand: Hand) -> None:
    """Both would change the application, and the first to end would let runs start."""
    asked(hand, lambda world: world.ledger.drains.put(lease("bob", world.clock.now()), None))
    with pytest.raises(TidemarkError, match="another deployment drains the application, until"):
        deployed(hand, lambda *_: None)
    did(hand, minutes(DRAIN_LEASE.total_seconds() / 60))
    deployed(hand, lambda *_: None)
