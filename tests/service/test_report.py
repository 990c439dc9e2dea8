"""What the ledger can say of datasets and files."""

from __future__ import annotations

from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import (
    FAILED_TWICE,
    LOADED,
    OVERWRITTEN,
    PLANNED,
    REFUSED,
    TURNS,
    land,
    plan,
    publish,
    submit,
)
from tidemark.core.lifecycle import State
from tidemark.service.report import dataset_status, explain, files_of


def test_a_dataset_shows_what_is_pending_and_its_batches_by_state(hand: Hand) -> None:
    """One batch is loaded, and one file waits."""
    did(hand, *LOADED, land("c", "c1"))
    status = asked(hand, dataset_status, "orders")
    assert (status.pending_files, status.states, status.oldest) == (1, {State.LOADED: 1}, {})
    assert (status.read, status.kept, status.rejected, status.duplicate_records) == (2, 2, 0, 0)
    assert status.oldest_at == hand.simulation.landed[-1].at.replace(microsecond=0)
    assert (status.paused, status.waiting_for_lock, status.period) == (False, 0, "")


def test_batches_that_wait_for_the_lock_are_counted(hand: Hand) -> None:
    """Two are PLANNED; when one runs, the other waits for it."""
    did(hand, *TURNS)
    assert asked(hand, dataset_status, "orders").waiting_for_lock == 0
    did(hand, submit(0))
    assert asked(hand, dataset_status, "orders").waiting_for_lock == 1


def test_a_key_that_was_never_claimed_has_no_history(hand: Hand) -> None:
    """Neither an unknown one nor one that is pending."""
    did(hand, *PLANNED, land("c", "c1"))
    assert asked(hand, explain, "raw", "orders/c") == []


def test_a_loaded_file_is_followed_to_its_rows(hand: Hand) -> None:
    """What was read of it, what the batch wrote, and the load."""
    did(hand, *LOADED)
    [history] = asked(hand, explain, "raw", "orders/a")
    [attempt] = history.attempts
    assert (history.batch, history.refused, attempt.ended) == (batch_of(hand), "", "")
    assert (attempt.count.read, attempt.count.kept) == (1, 1)
    assert attempt.tables == {"orders": (2, 2), "orders_users": (1, 1)}
    assert attempt.load.load_id == batch_of(hand).load_id


def test_every_version_of_a_key_is_listed(hand: Hand) -> None:
    """The latest first; of the older attempt it is said why it ended."""
    did(hand, *LOADED, OVERWRITTEN, plan, plan)
    histories = asked(hand, explain, "raw", "orders/a")
    assert [one.holder.file.version for one in histories] == ["v00003", "v00001"]
    assert "was overwritten by version v00003" in histories[0].attempts[0].ended


def test_a_file_that_was_set_aside_says_why(hand: Hand) -> None:
    """The reason is the run's."""
    did(hand, *REFUSED)
    [history] = asked(hand, explain, "raw", "orders/a")
    assert history.refused


def test_a_file_of_a_split_batch_leads_to_the_half_that_has_it(hand: Hand) -> None:
    """Each of the two files to another one, once these are formed."""
    did(hand, *FAILED_TWICE, publish(), plan)
    parent = batch_of(hand)
    holders = [asked(hand, explain, "raw", f"orders/{key}")[0].batch for key in "ab"]
    assert tuple(one.batch_id for one in holders) == parent.children
    assert [[file.key for file in asked(hand, files_of, one)] for one in holders] == [["orders/a"], ["orders/b"]]
