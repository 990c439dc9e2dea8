"""From pending files to batches with a manifest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import tidemark.service.plan as plan_module
from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import LOADED, OVERWRITTEN, collect, land, minutes, orders
from tidemark.core.lifecycle import State
from tidemark.service.documents import read_manifest
from tidemark.service.plan import finish, form, plan


def keys(hand: Hand, number: int = 0) -> list[str]:
    """The keys in the manifest of a batch."""
    return [file.key for file in asked(hand, read_manifest, batch_of(hand, number).manifest).files]


def pending(hand: Hand) -> int:
    return len(asked(hand, lambda world: world.ledger.segments.pending("orders")))


def test_all_that_is_pending_becomes_a_batch(hand: Hand) -> None:
    """Its manifest lists the files by their keys, and no segment is left."""
    did(hand, orders(), land("b", "b1"), land("a", "a1"))
    assert asked(hand, plan, True) == 1
    assert (batch_of(hand).state, keys(hand), pending(hand)) == (State.PLANNED, ["orders/a", "orders/b"], 0)


def test_young_files_wait_for_more(hand: Hand) -> None:
    """A minute, as the dataset declares; then nobody needs to be eager."""
    did(hand, orders(), land("a", "a1"))
    assert asked(hand, plan) == 0
    did(hand, minutes(2))
    assert asked(hand, plan) == 1


def test_a_batch_has_no_more_files_than_declared(hand: Hand) -> None:
    """Three files, two a batch."""
    did(hand, orders(max_files=2), land("a", "a1"), land("b", "b1"), land("c", "c1"))
    assert asked(hand, plan, True) == 2
    assert sorted(keys(hand, 0) + keys(hand, 1)) == ["orders/a", "orders/b", "orders/c"]


def test_a_paused_dataset_begins_nothing(hand: Hand) -> None:
    """Its files are kept, and taken when the pause is over."""
    did(hand, orders(), land("a", "a1"))
    asked(hand, lambda world: world.ledger.controls.pause("orders", True))
    assert (asked(hand, plan, True), pending(hand)) == (0, 1)
    asked(hand, lambda world: world.ledger.controls.pause("orders", False))
    assert asked(hand, plan, True) == 1


def test_no_more_batches_are_begun_than_there_are_slots(hand: Hand) -> None:
    """Three of one dataset at once; the fourth file waits."""
    did(hand, orders(max_files=1), *(land(key, f"{key}1") for key in "abc"))
    assert asked(hand, plan, True) == 3
    did(hand, minutes(1), land("d", "d1"))
    assert (asked(hand, plan, True), pending(hand)) == (0, 1)


def test_a_file_that_is_told_again_makes_an_empty_batch(hand: Hand) -> None:
    """Another batch holds it, so there is nothing to read."""
    did(hand, orders(), land("a", "a1"))
    asked(hand, plan, True)
    did(hand, minutes(1), collect(0))
    asked(hand, plan, True)
    again = batch_of(hand, 1)
    assert (again.state, again.duplicate_files, pending(hand)) == (State.EMPTY, 1, 0)


def test_an_overwritten_file_is_in_the_next_attempt(hand: Hand) -> None:
    """Of the batch that had the older version, which is formed again."""
    did(hand, *LOADED, OVERWRITTEN)
    for _ in range(2):  # the first one finds the newer version, the second one has a slot for the attempt
        asked(hand, plan, True)
    batch = batch_of(hand)
    versions = {file.key: file.version for file in asked(hand, read_manifest, batch.manifest).files}
    assert (batch.state, batch.attempt) == (State.PLANNED, 2)
    assert versions == {"orders/a": "v00003", "orders/b": "v00002"}


@pytest.mark.parametrize(
    "again",
    [form, finish, lambda world, _: plan(world, eager=True)],
    ids=["form", "finish", "plan"],
)
def test_a_batch_whose_planner_died_is_formed_by_the_next(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, again: Callable[..., None]
) -> None:
    """It has its segments already: nobody else can take them, and none is lost."""
    did(hand, orders(), land("a", "a1"))
    with monkeypatch.context() as patched:
        patched.setattr(plan_module, "form", lambda *_: None)
        asked(hand, plan, True)
    assert batch_of(hand).state is State.FORMING
    asked(hand, again, hand.batch(0))
    assert (batch_of(hand).state, keys(hand), pending(hand)) == (State.PLANNED, ["orders/a"], 0)
