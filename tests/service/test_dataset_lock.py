"""One run at a time in a dataset that remembers keys."""

from __future__ import annotations

from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import TURNS, publish, submit, wait
from tidemark.service.dataset_lock import next_to_run, seen_keys


def next_of(hand: Hand, asking: int) -> str | None:
    """The id of the batch that may run, when that batch asks."""
    batch = asked(hand, next_to_run, batch_of(hand, asking))
    return batch.batch_id if batch else None


def test_the_oldest_batch_is_next_whichever_asks(hand: Hand) -> None:
    """The younger one asks first, and the older one gets the lock."""
    did(hand, *TURNS)
    assert next_of(hand, asking=1) == hand.batch(0)
    assert next_of(hand, asking=0) == hand.batch(0)


def test_the_next_batch_waits_until_the_first_is_published(hand: Hand) -> None:
    """The lock is free as soon as the keys of its holder can be listed."""
    did(hand, *TURNS, submit(0))
    assert next_of(hand, asking=1) is None
    did(hand, wait, publish(0))
    assert next_of(hand, asking=1) == hand.batch(1)


def test_a_batch_is_given_the_keys_that_others_show(hand: Hand) -> None:
    """The first batch shows one key; it is not given its own."""
    did(hand, *TURNS)
    assert asked(hand, seen_keys, batch_of(hand, 1)) == []
    did(hand, submit(0), wait, publish(0))
    [keys] = asked(hand, seen_keys, batch_of(hand, 1))
    assert (keys.rows, hand.batch(0) in keys.uri) == (1, True)
    assert asked(hand, seen_keys, batch_of(hand, 0)) == []
