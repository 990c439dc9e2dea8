"""A ledger that was set back or lost is known by its seal."""

from __future__ import annotations

import pytest

from tests.service.nights import NightWorld, land
from tidemark.core.errors import Unsealed
from tidemark.service.recover import stop
from tidemark.service.seal import Seal, look, sealed, sealed_or_new

FIRST = "shop.20261119T080000.aaaaaaaa"


def test_a_new_ledger_is_sealed_by_the_first_planner(world: NightWorld) -> None:
    """Nobody else seals it, and nobody minds that it has none: there is nothing to go on with."""
    assert sealed(world) is world
    assert look(world) is Seal.NONE
    assert sealed_or_new(world) is world
    assert look(world) is Seal.WHOLE
    assert sealed(world) is world


def test_a_ledger_without_a_seal_that_has_batches_is_sealed(world: NightWorld) -> None:
    """It is older than seals are."""
    land(world, FIRST, {"2026-11-20": [1]})
    sealed_or_new(world)
    assert look(world) is Seal.WHOLE


def test_an_empty_ledger_whose_batches_have_left_documents_is_lost(world: NightWorld) -> None:
    """A planner that took it for new would claim every file once more."""
    world.store.put("control", f"batches/shop/{FIRST}/0001/manifest.json", "{}")
    with pytest.raises(Unsealed, match="tidemark recover"):
        sealed_or_new(world)
    assert look(world) is Seal.NONE


def test_a_restored_table_bears_the_seal_of_another(world: NightWorld) -> None:
    """Its items are those of the old one, and its birth is not."""
    sealed_or_new(world)
    seal = world.ledger.recovery.seal()
    world.ledger.controls.set("SEAL", {"whole": seal["whole"].replace("made 2", "made 1")})
    for guard in (sealed, sealed_or_new):
        with pytest.raises(Unsealed, match="set back or lost"):
            guard(world)
    assert stop(world) == world.ledger.table.made_at()
    assert look(world) is Seal.FOREIGN


def test_whoever_looks_at_a_whole_ledger_stops_it_from_then_on(world: NightWorld) -> None:
    """Functions that have begun may still run; asked again, it is the same moment."""
    sealed_or_new(world)
    moment = world.clock.now()
    assert stop(world) == moment
    assert stop(world) == moment
    with pytest.raises(Unsealed):
        sealed(world)
