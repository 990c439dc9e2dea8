from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.batching import GROWTH_MAX, SEGMENTS_MAX, PendingSegment, due_batches
from tidemark.core.dataset import BatchPolicy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = BatchPolicy(max_files=10, max_bytes=1_000, max_wait=timedelta(seconds=60), max_running=4)


def segment(name: str, files: int = 1, size: int = 1, age: int = 0) -> PendingSegment:
    return PendingSegment("web", name, files, size, NOW - timedelta(seconds=age))


SEGMENTS = st.lists(
    st.builds(segment, st.uuids().map(str), st.integers(1, 12), st.integers(0, 1_200), st.integers(0, 90)), max_size=30
)
POLICIES = st.builds(
    BatchPolicy, st.integers(1, 20), st.integers(1, 2_000), st.just(timedelta(seconds=60)), st.integers(1, 5)
)


@pytest.mark.parametrize(
    ("pending", "due"),
    [
        (segment("full of files", files=10), True),
        (segment("full of bytes", size=1_000), True),
        (segment("old", age=60), True),
        (segment("young and small", files=9, size=999, age=59), False),
    ],
    ids=lambda value: getattr(value, "segment_id", None),
)
def test_a_batch_is_due_by_count_bytes_or_age(pending: PendingSegment, due: bool) -> None:
    """Whichever limit is reached first makes the batch."""
    assert due_batches([pending], POLICY, 4, NOW) == ([(pending,)] if due else [])


def test_an_eager_planner_waits_for_nothing() -> None:
    """Whoever asks for it gets batches of all that is pending at once."""
    assert due_batches([segment("young")], POLICY, 4, NOW, eager=True) == [(segment("young"),)]


def test_the_oldest_file_sets_the_age_of_its_batch() -> None:
    """A young segment goes along with an old one, whatever order they are listed in."""
    young, old = segment("a young"), segment("b old", age=61)
    assert due_batches([young, old], POLICY, 4, NOW) == [(old, young)]


def test_small_segments_share_a_batch_up_to_its_limits() -> None:
    """Ten files make a batch; the eleventh begins the next."""
    pending = [segment(f"{number:02}", files=5, age=61) for number in range(3)]
    assert due_batches(pending, POLICY, 4, NOW) == [tuple(pending[:2]), (pending[2],)]


@pytest.mark.parametrize(("slots", "begun"), [(9, 4), (4, 4), (3, 2), (1, 1), (0, 0), (-1, 0)])
def test_no_more_batches_begin_than_there_are_slots(slots: int, begun: int) -> None:
    """Four full groups share three slots as two groups of twice the size: slots are the back-pressure."""
    pending = [segment(f"{number:02}", files=10, age=100 - number) for number in range(4)]
    assert len(due_batches(pending, POLICY, slots, NOW)) == begun


def test_under_load_batches_grow_instead_of_queueing() -> None:
    """Eight full batches for one free slot become one batch of eight times the size."""
    pending = [segment(f"{number}", files=10, age=100 - number) for number in range(8)]
    assert due_batches(pending, POLICY, 1, NOW) == [tuple(pending)]


def test_growth_has_an_end() -> None:
    """A batch is never more than ten times its target; the rest waits, youngest last."""
    pending = [segment(f"{number:02}", files=10, age=100 - number) for number in range(30)]
    assert due_batches(pending, POLICY, 1, NOW) == [tuple(pending[:GROWTH_MAX])]


def test_a_transaction_limits_the_segments_of_a_batch() -> None:
    """A hundred segments are two batches: one transaction writes batch and segments, 100 items in all."""
    policy = BatchPolicy(max_files=10_000)
    pending = [segment(f"{number:03}", age=61) for number in range(SEGMENTS_MAX + 1)]
    assert [len(group) for group in due_batches(pending, policy, 4, NOW)] == [SEGMENTS_MAX, 1]


def test_so_many_segments_are_due_at_once() -> None:
    """What fills a transaction need not wait for its age."""
    pending = [segment(f"{number:03}") for number in range(SEGMENTS_MAX)]
    assert len(due_batches(pending, BatchPolicy(max_files=10_000), 1, NOW)) == 1


@given(SEGMENTS, POLICIES, st.integers(0, 5), st.booleans())
def test_groups_are_disjoint_and_oldest_first(
    pending: list[PendingSegment], policy: BatchPolicy, slots: int, eager: bool
) -> None:
    """No segment is in two batches, and no younger one overtakes an older one within what is begun."""
    chosen = [one for group in due_batches(pending, policy, slots, NOW, eager) for one in group]
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(pending)
    assert chosen == sorted(chosen, key=lambda one: (one.oldest_at, one.segment_id))


@given(SEGMENTS, POLICIES, st.integers(0, 5), st.booleans())
def test_groups_keep_to_every_limit(
    pending: list[PendingSegment], policy: BatchPolicy, slots: int, eager: bool
) -> None:
    """Slots, segments, and ten times the targets hold; only a single segment may be larger."""
    groups = due_batches(pending, policy, slots, NOW, eager)
    assert len(groups) <= slots
    for group in groups:
        assert 1 <= len(group) <= SEGMENTS_MAX
        assert len(group) == 1 or sum(one.files for one in group) <= policy.max_files * GROWTH_MAX
        assert len(group) == 1 or sum(one.bytes for one in group) <= policy.max_bytes * GROWTH_MAX


@given(SEGMENTS, POLICIES)
def test_everything_pending_is_batched_in_the_end(pending: list[PendingSegment], policy: BatchPolicy) -> None:
    """Planning again and again, with nothing new, leaves no segment behind once it is old enough."""
    later, left = NOW + timedelta(minutes=2), list(pending)
    while left:
        groups = due_batches(left, policy, policy.max_running, later)
        assert groups
        left = [one for one in left if not any(one in group for group in groups)]
