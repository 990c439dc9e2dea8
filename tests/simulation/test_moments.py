"""Moments of a simulation: told apart by whatever matters, and come back to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.invariants import Invariants
from tests.simulation.moments import Fingerprints, Moment
from tests.simulation.quiet import quiet
from tests.simulation.race import Hand, Raced
from tests.simulation.scenario import play
from tests.simulation.small_worlds import LOADED, OVERWRITTEN

#: What each double is made of, but for what it was given when it was made. `Fingerprints` knows all of it.
STATE = {
    "dynamodb": {"items", "seen", "late"},
    "s3": {"raw", "keys", "objects", "written"},  # `keys` orders `raw`, `written` is the number of raw objects
    "emr": {"runs", "tokens", "script", "doubled", "run_seconds"},  # `run_seconds` is never changed by a race
    "redshift": {"statements", "tokens", "down_until", "own_tokens", "changes", "longest", "database"},
    "catalog": {
        "options",
        "tables",
        "deleted",
        "commits",
        "written",
        "known",
    },  # `known` matters to who expires snapshots
    "stage": {"time", "epoch", "heap", "count", "waiting"},
    "data": {"files", "under"},
}
GIVEN = {"call", "now", "now_ms", "lag", "on_write", "cancelled", "stage", "faults", "s3", "data", "tell"} | {
    "made",
    "since",
}
#: What only actors, harms and deployments bring about, none of which is in a race.
UNTOUCHED = {"gone", "marked", "bad", "blamed", "shorted", "names", "reshaped"}


@pytest.fixture
def hand() -> Iterator[Hand]:
    """A world with a batch that is loaded, and a newer version of one of its files."""
    simulation = Raced()
    hand = Hand(simulation, Invariants(simulation))
    with quiet(simulation):
        for step in (*LOADED, OVERWRITTEN):
            step(hand)
        yield hand


@pytest.mark.parametrize("double", STATE)
def test_fingerprints_know_what_a_double_remembers(hand: Hand, double: str) -> None:
    """A double that learns something new has to be told apart by it: say so in `Fingerprints`, and then here."""
    found = vars(getattr(hand.simulation, double))
    assert set(found) - GIVEN - UNTOUCHED == STATE[double]
    assert not any(found[name] for name in UNTOUCHED & set(found))


def test_a_moment_comes_back(hand: Hand) -> None:
    """After the newer version has come to rest, the world is set back, and comes to the same rest again."""
    simulation, invariants, prints = hand.simulation, hand.invariants, Fingerprints()

    def look() -> tuple[object, ...]:
        rows = simulation.redshift.read('SELECT * FROM "orders"'), simulation.catalog.rows("orders")
        return prints.world(simulation), prints.promises(invariants), rows

    moment, before = Moment(simulation, invariants), look()
    play(simulation, invariants, chaos_seconds=0)
    after = look()
    moment.restore()
    assert look() == before
    assert after != before
    play(simulation, invariants, chaos_seconds=0)
    assert look() == after


def test_moments_that_differ_in_an_item_are_told_apart(hand: Hand) -> None:
    """One pending segment more is another world."""
    prints = Fingerprints()
    before = prints.world(hand.simulation)
    OVERWRITTEN(hand)
    assert prints.world(hand.simulation) != before
