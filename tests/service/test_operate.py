"""What a person asks for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import (
    FAILED_TWICE,
    LOADED,
    OVERWRITTEN,
    PLANNED,
    REFUSED,
    RUN,
    land,
    minutes,
    orders,
    plan,
    publish,
)
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import State
from tidemark.service import operate

QUARANTINED = (
    orders(), land("a", poison="unnamed"), plan, *RUN, publish(), minutes(10), *RUN, publish(),
)  # fmt: skip


def test_a_batch_is_found_by_its_id(hand: Hand) -> None:
    """An id of no batch is refused with where to look."""
    did(hand, *PLANNED)
    assert asked(hand, operate.find_batch, hand.batch(0)) == batch_of(hand)
    with pytest.raises(TidemarkError, match=r"expected the id of a batch \(see `tidemark batches`\), found 'x'"):
        asked(hand, operate.find_batch, "x")


def test_a_replay_is_the_next_attempt(hand: Hand) -> None:
    """Of a batch at rest; one that is under way is refused by its state."""
    did(hand, *LOADED)
    replayed = asked(hand, operate.replay, batch_of(hand))
    assert (replayed.state, replayed.attempt) == (State.FORMING, 2)
    assert not operate.can_replay(replayed)
    with pytest.raises(TidemarkError, match="is FORMING: expected LOADED, PUBLISHED or QUARANTINED"):
        asked(hand, operate.replay, batch_of(hand))


def test_a_quarantined_batch_is_released_or_given_up(hand: Hand) -> None:
    """Released, it runs again; discarded, it runs again without files."""
    did(hand, *QUARANTINED)
    quarantined = batch_of(hand)
    assert quarantined.state is State.QUARANTINED
    released = asked(hand, operate.release_batch, quarantined)
    assert (released.state, released.attempt) == (State.FORMING, quarantined.attempt + 1)


def test_a_discarded_batch_has_no_files(hand: Hand) -> None:
    """Its next attempt replaces what it has shown by nothing."""
    did(hand, *QUARANTINED)
    asked(hand, operate.discard_batch, batch_of(hand))
    did(hand, plan)
    assert (batch_of(hand).state, batch_of(hand).files) == (State.PLANNED, 0)


@pytest.mark.parametrize("act", [operate.release_batch, operate.discard_batch])
def test_only_a_quarantined_batch_is_released_or_given_up(hand: Hand, act: Any) -> None:
    """Any other is refused by its state, and stays as it is."""
    did(hand, *LOADED)
    before = batch_of(hand)
    with pytest.raises(TidemarkError, match="is LOADED: expected QUARANTINED"):
        asked(hand, act, before)
    assert batch_of(hand) == before


def test_only_rejected_records_are_acknowledged(hand: Hand) -> None:
    """A batch without any has nothing to take off the list."""
    did(hand, *LOADED)
    with pytest.raises(TidemarkError, match="has no rejected records to acknowledge"):
        asked(hand, operate.acknowledge, batch_of(hand))
    assert list(asked(hand, operate.rejected_files, batch_of(hand))) == []


def test_a_refused_file_is_released_into_its_batch(hand: Hand) -> None:
    """The next attempt has it back, and the list is empty; a key that is not in quarantine is refused."""
    did(hand, *REFUSED)
    refused = asked(hand, operate.find_refused, "raw", "orders/a")
    asked(hand, operate.release_file, refused)
    assert batch_of(hand).changes == 2
    with pytest.raises(TidemarkError, match="s3://raw/orders/a is not in quarantine"):
        asked(hand, operate.find_refused, "raw", "orders/a")


def test_an_overwritten_file_is_not_released(hand: Hand) -> None:
    """It would come back in the place of the newer version."""
    did(hand, *REFUSED)
    refused = asked(hand, operate.find_refused, "raw", "orders/a")
    did(hand, OVERWRITTEN, plan)
    with pytest.raises(TidemarkError, match="was overwritten by version v00003: expected `discard`"):
        asked(hand, operate.release_file, refused)


def test_a_file_of_a_split_batch_is_released_into_a_half(hand: Hand) -> None:
    """The parent is over for good."""
    did(hand, *FAILED_TWICE, publish())
    assert not operate.can_replay(batch_of(hand))
