"""All schedules of two who race, at every AWS call, with a few preemptions and a crash: none is left to chance.

A *schedule* says who begins, before which calls the other takes over, and which call is the last of whoever makes it.
Schedules form a tree: each is an earlier one and one more deviation, later than all of its own. `Explorer` walks the
whole tree. It plays a schedule only as far as a moment that it has seen before, with the same preemptions and crashes
left: what can follow is known, and counted, then. Two moments are the same if the world is, and if each of the two has
been told the same by the calls that it has made (`moments.Fingerprints`): handlers know nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tests.simulation.killpoints import WRITE

#: What a crash does. Dying after a call is dying before the next one. DynamoDB cancels a transaction when another one
#: is under way on one of its items, whatever the conditions say.
KILL, LOST_REPLY, CANCELLED = "kill_before", "lost_reply", "cancelled_transaction"


@dataclass(frozen=True)
class Crash:
    """What happens to a call, told by its number; both invocations' calls are counted together, from 1."""

    call: int
    kind: str = KILL


@dataclass(frozen=True)
class Schedule:
    """`switches` are the numbers of the calls before which the other one takes over.

    Whoever is alone goes on to its end. `Schedule("A", (3, 5), Crash(5))`: A makes calls 1 and 2; B makes 3 and 4; then
    A goes on, and dies before its next call; B finishes.
    """

    first: str = "A"
    switches: tuple[int, ...] = ()
    crash: Crash | None = None


class Allowed(NamedTuple):
    """How much a schedule may deviate, or how much more."""

    switches: int
    crashes: int

    def less(self, schedule: Schedule) -> Allowed:
        """What is left after a schedule's own deviations."""
        return Allowed(self.switches - len(schedule.switches), self.crashes - bool(schedule.crash))


@dataclass(frozen=True)
class Gap:
    """The moment before a call, when nothing deviates any more."""

    call: int
    operation: str  # of whom, and which
    preemptible: bool  # whoever took over a moment ago makes at least one call, and somebody who is alone goes on
    state: Hashable
    switched: Hashable  # the state if the other takes over here
    killed: Hashable  # the state if this one dies here

    @property
    def mishaps(self) -> tuple[str, ...]:
        """What else may happen to the call: a reply that is lost says no more than a death, but for a write."""
        if "TransactWrite" in self.operation:
            return (LOST_REPLY, CANCELLED)
        return (LOST_REPLY,) if WRITE.search(self.operation) else ()


def deviations(schedule: Schedule, gap: Gap, left: Allowed) -> Iterator[tuple[Schedule, Hashable]]:
    """The schedules that deviate from this one in that gap, and the state that each leads to; None if nobody knows."""
    if left.switches and gap.preemptible:
        yield replace(schedule, switches=(*schedule.switches, gap.call)), gap.switched
    if left.crashes:
        yield replace(schedule, crash=Crash(gap.call)), gap.killed
        for kind in gap.mishaps:
            yield replace(schedule, crash=Crash(gap.call, kind)), None


class Count(NamedTuple):
    """Schedules, and those of them with a crash."""

    schedules: int = 0
    crashes: int = 0

    def plus(self, other: Count) -> Count:
        """Both together."""
        return Count(self.schedules + other.schedules, self.crashes + other.crashes)


@dataclass(frozen=True)
class Played:
    """What became of a schedule."""

    gaps: tuple[Gap, ...] = ()  # after its last deviation
    merged: Hashable = None  # the state, seen before, at which it was left
    problem: str = ""
    rested: bool = False  # whether it was played on until everything was at rest
    trace: tuple[str, ...] = ()


@dataclass
class Explored:
    """What an exploration has found."""

    count: Count = field(default_factory=Count)
    calls: int = 0  # of both together, at most
    operations: set[str] = field(default_factory=set)  # that were deviated at
    played: int = 0  # schedules, each until its end or a known state
    rested: int = 0  # of these, until everything was at rest: the others ended in a state from which that is known
    broken: list[tuple[Schedule, str]] = field(default_factory=list)  # one for each state that is found so


class Enough(Exception):
    """The first broken promise has been found."""


#: Plays a schedule, after which so much may still deviate, until its end or a state that is known.
Play = Callable[[Schedule, Allowed, Container[Hashable]], Played]


class Explorer:
    """Walks the tree of schedules; with `stop`, only to the first that breaks a promise."""

    def __init__(self, play: Play, allowed: Allowed, stop: bool = False) -> None:
        self.play, self.allowed, self.stop = play, allowed, stop
        self.sizes: dict[Hashable, Count] = {}  # by state, what can follow
        self.found = Explored()

    def explore(self) -> Explored:
        """Every schedule."""
        with suppress(Enough):
            for first in ("A", "B"):
                self.found.count = self.found.count.plus(self._walk(Schedule(first)))
        return self.found

    def _walk(self, schedule: Schedule) -> Count:
        """Play the schedule and all that deviate from it later on; answers how many they are."""
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
