from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.lifecycle import Batch, State
from tidemark.core.slots import Request, background_max, grant, holds_slot

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def request(dataset: str, age: int = 0, background: bool = False) -> Request:
    return Request(dataset, NOW - timedelta(seconds=age), background)


def running(dataset: str, background: bool = False) -> Batch:
    return Batch(f"{dataset}.t.1", dataset, NOW, NOW, State.RUNNING, background=background)


def test_slots_go_to_the_dataset_that_has_waited_longest() -> None:
    """Neither the alphabet nor the order of the list decides."""
    wanted = [request("a", age=10), request("b", age=30), request("c", age=20)]
    assert [one.dataset for one in grant(wanted, [], {}, 2)] == ["b", "c"]


def test_a_flooded_dataset_waits_behind_one_that_has_nothing_in_work() -> None:
    """Its backlog is older than the other's single file, which goes first all the same."""
    flood = [request("a", age=3_600 - number) for number in range(20)]
    granted = grant([*flood, request("z", age=1)], [running("a"), running("a")], {"a": 5}, 4)
    assert [one.dataset for one in granted] == ["z", "a"]


def test_a_dataset_keeps_to_its_own_limit() -> None:
    """What it has in work counts."""
    assert len(grant([request("a"), request("a"), request("a")], [running("a")], {"a": 2}, 9)) == 1


def test_replays_leave_room_for_fresh_files() -> None:
    """A thousand replays take half of the slots, and a fresh file begins at once."""
    replays = [request("a", age=999, background=True) for _ in range(1_000)]
    granted = grant(replays, [], {}, 8)
    assert len(granted) == background_max(8) == 4
    busy = [running("a", background=True)] * 4
    assert grant([*replays, request("b")], busy, {}, 8)[0] == request("b")


def test_fresh_files_leave_room_for_replays() -> None:
    """However many files land, the next slot that becomes free is the background's, up to its share."""
    fresh = [request("a", age=999) for _ in range(100)]
    busy = [running("a")] * 7
    assert grant([*fresh, request("b", background=True)], busy, {"a": 99}, 8) == [request("b", background=True)]
    busy = [running("a")] * 3 + [running("b", background=True)] * 2
    assert grant([*fresh, request("b", age=5, background=True)], busy, {"a": 99}, 8)[0] == fresh[0]


def test_one_slot_is_shared_by_age() -> None:
    """There is no room for shares, so the older one goes first, whichever kind it is."""
    old, young = request("a", age=9, background=True), request("b", age=1)
    assert grant([young, old], [], {}, 1) == [old]
    assert grant([request("a", background=True), young], [], {}, 1) == [young]


@pytest.mark.parametrize(
    ("state", "segments", "held"),
    [
        (State.FORMING, ("s1",), True),
        (State.FORMING, (), False),
        (State.PLANNED, (), True),
        (State.RUNNING, (), True),
        (State.PUBLISHED, (), False),
    ],
)
def test_a_slot_is_held_from_the_first_claim_to_the_end_of_the_run(
    state: State, segments: tuple[str, ...], held: bool
) -> None:
    """A batch that is to be formed again waits for one."""
    assert holds_slot(Batch("a.t.1", "a", NOW, NOW, state, segments=segments)) is held


REQUESTS = st.lists(st.builds(request, st.sampled_from("abc"), st.integers(0, 99), st.booleans()), max_size=20)
IN_WORK = st.lists(st.builds(running, st.sampled_from("abc"), st.booleans()), max_size=6)


@given(REQUESTS, IN_WORK, st.integers(1, 9), st.integers(1, 4))
def test_no_limit_is_passed_and_no_slot_is_wasted(
    wanted: list[Request], in_work: list[Batch], total: int, limit: int
) -> None:
    """Each is granted at most once, and what is left over could not have been begun."""
    limits = dict.fromkeys("abc", limit)
    granted = grant(wanted, in_work, limits, total)
    left = list(wanted)
    for one in granted:
        left.remove(one)
    held = [*((batch.dataset, batch.background) for batch in in_work), *((r.dataset, r.background) for r in granted)]
    assert len(granted) <= max(0, total - len(in_work))
    for one in left:
        full = len(held) >= total
        own_limit = sum(name == one.dataset for name, _ in held) >= limit
        kept_free = one.background and sum(background for _, background in held) >= background_max(total)
        assert full or own_limit or kept_free


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True), st.integers(1, 4))
def test_every_dataset_has_its_turn(names: list[str], total: int) -> None:
    """With an endless backlog each, none waits for more looks than there are others."""
    turns: dict[str, int] = {}
    for look in range(2 * len(names)):
        wanted = [request(name, age=look - turns.get(name, -1)) for name in names for _ in range(3)]
        for one in grant(wanted, [], dict.fromkeys(names, 1), total):
            turns[one.dataset] = look
        if look >= len(names):
            assert all(look - turns[name] <= len(names) for name in names)
