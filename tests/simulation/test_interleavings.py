"""Two handlers at once: every promise holds whichever of them makes the next AWS call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.course import SmallWorld, course
from tests.simulation.interleavings import CAUGHT_IN, catch, explore, replay
from tests.simulation.invariants import Invariants
from tests.simulation.race import Hand
from tests.simulation.schedules import (
    LOST_REPLY,
    Allowed,
    Count,
    Crash,
    Explorer,
    Gap,
    Play,
    Schedule,
    deviations,
)
from tests.simulation.small_worlds import WORLDS
from tests.simulation.violation import Violation

#: What CI allows in every small world; the report allows two preemptions and a crash.
SAMPLE = Allowed(switches=1, crashes=0)
#: The small worlds in which CI, too, allows two preemptions and a crash.
WHOLE = ("plan, collect: delivered again", "submit, overwritten", "release, settle")
WRITES = {
    "collect dynamodb.PutItem", "plan dynamodb.TransactWriteItems", "plan dynamodb.PutItem", "plan s3.PutObject",
    "plan dynamodb.DeleteItem", "submit emr.StartJobRun", "submit dynamodb.TransactWriteItems", "submit s3.PutObject",
    "publish glue.CreateTable", "publish glue.UpdateTable", "publish dynamodb.TransactWriteItems",
    "publish dynamodb.UpdateItem", "load dynamodb.TransactWriteItems", "load s3.PutObject",
    "load redshift.BatchExecuteStatement", "load dynamodb.UpdateItem", "settle dynamodb.TransactWriteItems",
    "reconcile dynamodb.PutItem", "person dynamodb.TransactWriteItems", "nightly dynamodb.TransactWriteItems",
    "nightly s3.PutObject",
}  # fmt: skip


# ── schedules ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_schedule_deviates_once_more_and_later() -> None:
    """At the 5th call, a write, the other may take over, the runner may crash, or the reply may be lost."""
    schedule = Schedule("A", (3,))
    gap = Gap(5, "plan s3.PutObject", True, "here", "if the other takes over", "if this one dies")
    assert list(deviations(schedule, gap, Allowed(1, 1))) == [
        (Schedule("A", (3, 5)), "if the other takes over"),
        (Schedule("A", (3,), Crash(5)), "if this one dies"),
        (Schedule("A", (3,), Crash(5, LOST_REPLY)), None),
    ]


def test_a_transaction_may_be_cancelled() -> None:
    """DynamoDB cancels a transaction that meets another one, so this is tried with each transaction."""
    gap = Gap(2, "plan dynamodb.TransactWriteItems", True, "here", "if the other takes over", "if this one dies")
    kinds = [schedule.crash.kind for schedule, _ in deviations(Schedule(), gap, Allowed(0, 1)) if schedule.crash]
    assert kinds == ["kill_before", "lost_reply", "cancelled_transaction"]


def test_a_read_that_nobody_may_preempt_leaves_one_deviation() -> None:
    """A runner that has just taken over makes at least one call, and a read's lost reply equals a crash."""
    gap = Gap(3, "plan s3.GetObject", False, "here", "if the other takes over", "if this one dies")
    assert list(deviations(Schedule("A", (3,)), gap, Allowed(1, 1))) == [
        (Schedule("A", (3,), Crash(3)), "if this one dies")
    ]


def test_no_more_deviations_than_allowed() -> None:
    """A schedule that uses all the allowed preemptions, with no crash allowed, has no further deviation."""
    gap = Gap(9, "plan s3.PutObject", True, "here", "if the other takes over", "if this one dies")
    assert list(deviations(Schedule("A", (3, 5)), gap, Allowed(2, 0).less(Schedule("A", (3, 5))))) == []


# ── a race of two counters ──────────────────────────────────────────────────────────────────────────────────


def increase(hand: Hand) -> None:
    """Reads a number and writes it plus one: an update is lost if another runner does the same in between."""

    def act(world: object) -> None:
        store = hand.simulation.world.store
        store.put("control", "number", str(int(store.get("control", "number") or "0") + 1))

    hand.person(act)


def increase_safely(hand: Hand) -> None:
    """The same, on the condition that the number has not been written since."""

    def act(world: object) -> None:
        store = hand.simulation.world.store
        while True:
            number, etag = store.tagged("control", "number")
            if store.swap("control", "number", str(int(number) + 1), etag):
                return

    hand.person(act)


def zero(hand: Hand) -> None:
    """Write the initial number."""
    hand.simulation.s3.objects["control", "number"] = b"0"


class BothCount(Invariants):
    """At the end the number is two, unless a runner has crashed."""

    def check_rest(self) -> None:
        """Raise `Violation` if an update was lost."""
        number = int(self.sim.s3.objects["control", "number"])
        if number != 2:
            raise Violation(f"it is {number}")


def counters(step: object) -> SmallWorld:
    """A small world of two runners that count with the same number."""
    return SmallWorld((zero,), (step,), (step,), BothCount)  # type: ignore[arg-type]


def test_a_lost_update_takes_one_preemption() -> None:
    """A reads, B reads and writes, A writes: schedules without a preemption do not find this, and this one does."""
    with course(counters(increase)) as play:
        assert not Explorer(play, Allowed(0, 0)).explore().broken
        found = Explorer(play, Allowed(1, 0)).explore()
    assert found.broken == [(Schedule("A", (2,)), "it is 1")]  # B's comes to the same end


def test_a_condition_closes_the_race() -> None:
    """With If-Match on the write no schedule of two preemptions loses a number."""
    with course(counters(increase_safely)) as play:
        found = Explorer(play, Allowed(2, 0)).explore()
    assert (found.broken, found.count) == ([], Count(6, 0))


def one_by_one(play: Play, schedule: Schedule, allowed: Allowed) -> Iterator[tuple[Schedule, str]]:
    """This schedule and all that deviate later, each played to its end."""
    played = play(schedule, allowed.less(schedule), ())
    yield schedule, played.problem
    for gap in played.gaps:
        for other, _ in deviations(schedule, gap, allowed.less(schedule)):
            yield from one_by_one(play, other, allowed)


@pytest.mark.parametrize("allowed", [Allowed(2, 0), Allowed(1, 1)])
@pytest.mark.parametrize("world", [WORLDS["submit, submit"], counters(increase)], ids=["well", "with lost updates"])
def test_what_is_not_played_is_counted_and_judged_all_the_same(world: SmallWorld, allowed: Allowed) -> None:
    """Stopping at known states changes neither the number of schedules nor the broken promises found."""
    with course(world) as play:
        merged = Explorer(play, allowed).explore()
    with course(world) as play:
        every = [one for first in "AB" for one in one_by_one(play, Schedule(first), allowed)]
    assert len({schedule for schedule, _ in every}) == len(every)
    assert merged.count == Count(len(every), sum(schedule.crash is not None for schedule, _ in every))
    assert {problem for _, problem in merged.broken} == {problem for _, problem in every if problem}


# ── the small worlds ────────────────────────────────────────────────────────────────────────────────────────


def test_no_preemption_harms() -> None:
    """In each small world, the other runner takes over before each call; together they make every kind of write."""
    found = {name: explore(name, SAMPLE) for name in WORLDS}
    assert {name: one.broken for name, one in found.items() if one.broken} == {}
    assert sum(one.count.schedules for one in found.values()) > 800
    assert WRITES - set().union(*(one.operations for one in found.values())) == set()


@pytest.mark.parametrize("name", WHOLE)
def test_two_preemptions_and_a_crash_harm_nothing(name: str) -> None:
    """Every schedule of these worlds keeps every promise."""
    found = explore(name)
    assert found.broken == []
    assert found.count.crashes > 100


@pytest.mark.parametrize("mutant", CAUGHT_IN)
def test_a_missing_safeguard_is_noticed(mutant: str) -> None:
    """The product without this safeguard breaks a promise in its small world, within forty schedules."""
    caught = catch(mutant)
    assert caught.problem
    assert caught.played <= 40


def test_a_schedule_can_be_played_again() -> None:
    """Calls are numbered together: B's plan runs between two calls of A's publish, and crashes before the tenth."""
    played = replay("publish, overwritten", Schedule("A", (4,), Crash(10)))
    race = [line[9:] for line in played.trace if line[9:11] in ("A ", "B ")]
    queries = [f"B {number}: dynamodb.Query " for number in (4, 5, 6)]  # open batches, both kinds of segments
    assert race[:11] == [
        "A 1: dynamodb.GetItem ", "A 2: emr.GetJobRun ", "A 3: s3.GetObject ", *queries,
        "B 7: dynamodb.GetItem ", "B 8: dynamodb.Query ", "B 9: dynamodb.TransactWriteItems ",
        "B dies before 10: dynamodb.GetItem", "A 10: s3.GetObject ",
    ]  # fmt: skip
    assert not played.problem


def test_a_schedule_that_cannot_be_played_says_so() -> None:
    """There is no hundredth call at which the other could take over."""
    with pytest.raises(ValueError, match="never comes"):
        replay("submit, submit", Schedule("A", (100,)))
