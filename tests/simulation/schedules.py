"""Enumerates all schedules of two racing runners, at every AWS call, with a few preemptions and one crash.

A *schedule* says which runner begins, before which calls the other takes over, and which call has a fault. Schedules
form a tree: each child adds one deviation, later than all others, to its parent. `Explorer` walks the whole tree. It
stops a schedule at a state that it has seen before with the same number of preemptions and crashes left, because all
that can follow is then known and counted. Two states are equal if the worlds are equal and each runner has received the
same replies (`moments.Fingerprints`), which are all that handlers know.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tests.simulation.killpoints import WRITE

#: The kinds of faults. A crash after a call equals a crash before the next one. DynamoDB may cancel a transaction while
#: another transaction has one of its items, whatever the conditions say.
KILL, LOST_REPLY, CANCELLED = "kill_before", "lost_reply", "cancelled_transaction"


@dataclass(frozen=True)
class Crash:
    """The fault of one call, given by its number; the calls of both runners are counted together, from 1."""

    call: int
    kind: str = KILL


@dataclass(frozen=True)
class Schedule:
    """`switches` are the numbers of the calls before which the other runner takes over.

    A runner that is left alone goes on to its end. `Schedule("A", (3, 5), Crash(5))`: A makes calls 1 and 2; B makes
    3 and 4; then A goes on, and crashes before its next call; B finishes.
    """

    first: str = "A"
    switches: tuple[int, ...] = ()
    crash: Crash | None = None


class Allowed(NamedTuple):
    """How much a schedule may deviate, in total or from here on."""

    switches: int
    crashes: int

    def less(self, schedule: Schedule) -> Allowed:
        """What remains after the schedule's own deviations."""
        return Allowed(self.switches - len(schedule.switches), self.crashes - bool(schedule.crash))


@dataclass(frozen=True)
class Gap:
    """The moment before a call, after the schedule's last deviation."""

    call: int
    operation: str  # runner and operation of the call
    preemptible: bool  # false right after a switch, which is followed by at least one call, and for a runner left alone
    state: Hashable
    switched: Hashable  # the state if the other runner takes over here
    killed: Hashable  # the state if this runner crashes here

    @property
    def mishaps(self) -> tuple[str, ...]:
        """The faults that the call may have; a lost reply differs from a crash only for a write."""
        if "TransactWrite" in self.operation:
            return (LOST_REPLY, CANCELLED)
        return (LOST_REPLY,) if WRITE.search(self.operation) else ()


def deviations(schedule: Schedule, gap: Gap, left: Allowed) -> Iterator[tuple[Schedule, Hashable]]:
    """The schedules that deviate from this one in the gap, each with the state to which it leads; None if unknown."""
    if left.switches and gap.preemptible:
        yield replace(schedule, switches=(*schedule.switches, gap.call)), gap.switched
    if left.crashes:
        yield replace(schedule, crash=Crash(gap.call)), gap.killed
        for kind in gap.mishaps:
            yield replace(schedule, crash=Crash(gap.call, kind)), None


class Count(NamedTuple):
    """Numbers of schedules, and of those with a crash."""

    schedules: int = 0
    crashes: int = 0

    def plus(self, other: Count) -> Count:
        """The sum of both."""
        return Count(self.schedules + other.schedules, self.crashes + other.crashes)


@dataclass(frozen=True)
class Played:
    """The outcome of a schedule."""

    gaps: tuple[Gap, ...] = ()  # after its last deviation
    merged: Hashable = None  # the known state at which it was stopped
    problem: str = ""
    rested: bool = False  # whether it was played until everything was at rest
    trace: tuple[str, ...] = ()


@dataclass
class Explored:
    """The outcome of an exploration."""

    count: Count = field(default_factory=Count)
    calls: int = 0  # the most calls of both runners together
    operations: set[str] = field(default_factory=set)  # the operations at which schedules deviated
    played: int = 0  # schedules played, each to its end or to a known state
    rested: int = 0  # schedules played until all was at rest; the others ended in states from which that is known
    broken: list[tuple[Schedule, str]] = field(default_factory=list)  # one schedule for each broken state


class Enough(Exception):
    """A broken promise was found, and the exploration is to stop."""


#: Plays a schedule, with the deviations still allowed after it, to its end or to a known state.
Play = Callable[[Schedule, Allowed, Container[Hashable]], Played]


class Explorer:
    """Walks the tree of schedules; with `stop`, only to the first one that breaks a promise."""

    def __init__(self, play: Play, allowed: Allowed, stop: bool = False) -> None:
        self.play, self.allowed, self.stop = play, allowed, stop
        self.sizes: dict[Hashable, Count] = {}  # state → number of schedules that can follow
        self.found = Explored()

    def explore(self) -> Explored:
        """Play every schedule."""
        with suppress(Enough):
            for first in ("A", "B"):
                self.found.count = self.found.count.plus(self._walk(Schedule(first)))
        return self.found

    def _walk(self, schedule: Schedule) -> Count:
        """Play the schedule and all that deviate from it later; return their number."""
        left = self.allowed.less(schedule)
        played = self.play(schedule, left, self.sizes)
        self._note(schedule, played)
        size = self.sizes.get(played.merged) or Count(1, int(schedule.crash is not None))
        for gap in reversed(played.gaps):
            for other, state in deviations(schedule, gap, left):
                size = size.plus(self._size(other, state))
            self.sizes[gap.state] = size
        return size

    def _size(self, schedule: Schedule, state: Hashable) -> Count:
        size = self.sizes.get(state) or self._walk(schedule)
        if state is not None:
            self.sizes[state] = size
        return size

    def _note(self, schedule: Schedule, played: Played) -> None:
        self.found.played += 1
        self.found.rested += played.rested
        self.found.operations |= {gap.operation for gap in played.gaps}
        self.found.calls = max(self.found.calls, *(gap.call for gap in played.gaps), 0)
        if played.problem:
            self.found.broken.append((schedule, played.problem))
            if self.stop:
                raise Enough
