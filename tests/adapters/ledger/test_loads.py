"""Loads, written with their batches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.adapters.ledger.conftest import NOON, batch
from tidemark.adapters.ledger import Ledger
from tidemark.core.errors import Conflict
from tidemark.core.lifecycle import Batch, State
from tidemark.core.loading import BATCHES_MAX, Load


@pytest.fixture
def published(ledger: Ledger) -> list[Batch]:
    """Two batches that wait for the warehouse."""
    return [ledger.batches.save(batch(f"web.t.{number}", state=State.PUBLISHED)) for number in (1, 2)]


def load_of(batches: list[Batch], name: str = "load.t.1") -> Load:
    return Load(name, NOON, tuple((one.batch_id, one.attempt) for one in batches), ("web",))


def loading(batches: list[Batch], name: str = "load.t.1") -> list[Batch]:
    return [replace(one, state=State.LOADING, load_id=name) for one in batches]


def test_a_load_begins_with_all_its_batches(ledger: Ledger, published: list[Batch]) -> None:
    """Load and batches are written in one transaction."""
    begun = ledger.loads.begin(load_of(published), loading(published))
    assert ledger.loads.get("load.t.1") == begun
    assert {one.load_id for one in ledger.batches.open("web")} == {"load.t.1"}


def test_no_batch_is_in_two_loads(ledger: Ledger, published: list[Batch]) -> None:
    """One batch taken elsewhere is enough: neither the load nor its other batches are written."""
    ledger.loads.begin(load_of(published[:1]), loading(published[:1]))
    with pytest.raises(Conflict):
        ledger.loads.begin(load_of(published, "load.t.2"), loading(published, "load.t.2"))
    assert ledger.loads.get("load.t.2") is None
    assert ledger.batches.get("web.t.2") == published[1]


def test_the_largest_load_fits_one_transaction(ledger: Ledger) -> None:
    """Every batch writes two items, the load one: 91 of 100."""
    batches = [ledger.batches.save(batch(f"web.t.{number}", state=State.PUBLISHED)) for number in range(BATCHES_MAX)]
    ledger.loads.begin(load_of(batches), loading(batches))
    assert {one.state for one in ledger.batches.open("web")} == {State.LOADING}


def test_of_two_settlers_one_closes_a_load(ledger: Ledger, published: list[Batch]) -> None:
    """The second gets a conflict, and a closed load leaves the index."""
    begun = ledger.loads.begin(load_of(published), loading(published))
    assert ledger.loads.open() == [begun]
    ledger.loads.save(replace(begun, state="FINISHED"))
    with pytest.raises(Conflict):
        ledger.loads.save(replace(begun, state="FAILED"))
    assert ledger.loads.open() == []
