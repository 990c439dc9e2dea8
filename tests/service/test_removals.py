"""A declaration is not removed while its dataset has files or batches."""

from __future__ import annotations

import pytest

from tests.service.lost import ONE, A, Shop
from tests.service.nights import DATASETS
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import State
from tidemark.service.removals import Removal, refuse_removals, removals


@pytest.fixture
def known(shop: Shop) -> Shop:
    """A shop that has had a batch, which is loaded."""
    shop.world.ledger.declarations.register("shop", DATASETS["shop"].declared)
    shop.know(ONE, State.LOADED)
    return shop


def test_a_dataset_at_rest_can_be_removed(known: Shop) -> None:
    """So can one that never had a file."""
    assert removals(known.world, {"totals"}) == []
    refuse_removals(known.world, {})


def test_a_dataset_with_pending_files_cannot(known: Shop) -> None:
    """Fresh or backfilled. As long as it is declared, nothing is said."""
    for background in (False, True):
        known.world.ledger.segments.put("shop", [A], known.world.clock.now(), background)
    assert removals(known.world, {"shop"}) == []
    assert removals(known.world, {"totals"}) == [Removal("shop", pending_files=2, batches=0)]


@pytest.mark.parametrize("state", [State.FORMING, State.PLANNED, State.RUNNING, State.PUBLISHED, State.LOADING])
def test_a_dataset_with_a_batch_under_way_cannot(shop: Shop, state: State) -> None:
    """The refusal is one line: which dataset, what it has, and what to do."""
    shop.world.ledger.declarations.register("shop", DATASETS["shop"].declared)
    shop.know(ONE, state)
    with pytest.raises(TidemarkError) as refused:
        refuse_removals(shop.world, {"totals"})
    assert str(refused.value) == (
        "no longer declared: shop (pending files: 0, batches under way: 1). Keep the declaration until "
        "`tidemark status` shows nothing pending or under way. With --force, batches finish by the last declaration, "
        "and files stay pending"
    )


def test_a_declaration_that_this_release_cannot_read_counts(shop: Shop) -> None:
    """Its name is enough."""
    shop.world.ledger.declarations.register("shop", {"shape": "of tomorrow"})
    shop.world.ledger.segments.put("shop", [A], shop.world.clock.now())
    assert [removal.dataset for removal in removals(shop.world, {})] == ["shop"]
