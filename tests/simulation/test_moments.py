"""Saved states of a simulation: they are restored exactly, and differ if anything that matters differs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.invariants import Invariants
from tests.simulation.moments import Fingerprints, Moment
from tests.simulation.quiet import quiet
from tests.simulation.race import Hand, Raced
from tests.simulation.scenario import play
from tests.simulation.small_worlds import LOADED, OVERWRITTEN

#: Double → its attributes that change, all of which `Fingerprints` covers.
STATE = {
    "dynamodb": {"items", "seen", "late"},
    "s3": {"raw", "keys", "objects", "written"},  # `keys` orders `raw`, `written` is the number of raw objects
    "emr": {"runs", "tokens", "script", "doubled", "state", "run_seconds"},  # `run_seconds` is never changed by a race
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
#: Attributes that only actors, harms and deployments change, which do not occur in a race.
UNTOUCHED = {"gone", "marked", "bad", "blamed", "shorted", "names", "reshaped"}


@pytest.fixture
def hand() -> Iterator[Hand]:
    """A world with a loaded batch, and a newer version of one of its files."""
    simulation = Raced()
    hand = Hand(simulation, Invariants(simulation))
    with quiet(simulation):
        for step in (*LOADED, OVERWRITTEN):
            step(hand)
        yield hand


@pytest.mark.parametrize("double", STATE)
def test_fingerprints_know_what_a_double_remembers(hand: Hand, double: str) -> None:
    """A new attribute of a double must be covered by `Fingerprints` first, and then be listed here."""
    found = vars(getattr(hand.simulation, double))
    assert set(found) - GIVEN - UNTOUCHED == STATE[double]
    assert not any(found[name] for name in UNTOUCHED & set(found))


def test_a_moment_comes_back(hand: Hand) -> None:
    """After the newer version is loaded, the world is restored and comes to the same end again."""
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
    """A world with one more pending segment has another fingerprint."""
    prints = Fingerprints()
    before = prints.world(hand.simulation)
    OVERWRITTEN(hand)
    assert prints.world(hand.simulation) != before
