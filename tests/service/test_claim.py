"""Which batch has a file version."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.steps import asked, batch_of, did, version_of
from tests.simulation.race import Hand
from tests.simulation.small_worlds import FAILED_TWICE, land, orders, plan, publish, put
from tests.simulation.world import declare
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import State
from tidemark.service.claim import claim, holding_batch

SECOND = "orders.20260101T000000.bbbbbbbb"


def claimed(hand: Hand, number: int, batch_id: str = SECOND, policy: str = "supersede") -> FileVersion | None:
    """What a batch has of the file that landed as that number."""
    dataset, file = declare("orders", policy, 10, 3), version_of(hand.simulation.landed[number])
    found: FileVersion | None = asked(hand, claim, dataset, batch_id, file)
    return found


def test_a_file_belongs_to_the_batch_that_claims_it_first(hand: Hand) -> None:
    """It may claim it again after a crash; to any other batch the file is a duplicate."""
    did(hand, orders(), put("a", "a1"))
    file = version_of(hand.simulation.landed[0])
    assert [claimed(hand, 0, "orders.20260101T000000.aaaaaaaa") for _ in range(2)] == [file, file]
    assert claimed(hand, 0) is None


@pytest.mark.parametrize(
    ("policy", "is_read_by_the_claimer", "changes_of_the_holder"),
    [("supersede", False, 1), ("append", True, 0), ("ignore", False, 0)],
)
def test_the_policy_decides_about_a_newer_version(
    hand: Hand, policy: str, is_read_by_the_claimer: bool, changes_of_the_holder: int
) -> None:
    """The batch with the older version takes it over, or the new batch reads it, or it counts for nothing."""
    did(hand, orders(policy), land("a", "a1"), plan, put("a", "a2"))
    assert (claimed(hand, 1, policy=policy) is not None) == is_read_by_the_claimer
    assert batch_of(hand).changes == changes_of_the_holder


@pytest.mark.parametrize(("policy", "is_read"), [("supersede", False), ("append", True), ("ignore", False)])
def test_an_older_version_that_is_heard_of_last_changes_no_batch(hand: Hand, policy: str, is_read: bool) -> None:
    """It counts only where every version does."""
    did(hand, orders(policy), put("a", "a1"), land("a", "a2"), plan)
    before = batch_of(hand)
    assert (claimed(hand, 0, policy=policy) is not None) == is_read
    assert batch_of(hand) == before


def test_a_file_of_a_split_batch_is_held_by_the_half_that_took_it_over(hand: Hand) -> None:
    """`a` went to the first child, `b` to the second; an unknown batch holds nothing."""
    did(hand, *FAILED_TWICE, publish())
    parent = batch_of(hand)
    assert parent.state is State.SPLIT

    def holder(key: str, batch_id: str = parent.batch_id) -> Any:
        return asked(hand, holding_batch, batch_id, "raw", f"orders/{key}")

    assert [holder(key).batch_id for key in "ab"] == list(parent.children)
    assert holder("a", SECOND) is None
