"""Explores every interleaving of the small worlds, hunts mutants in them, and replays single schedules.

`python -m tests.simulation.interleavings "publish, overwritten" A 3,7 9:lost_reply` plays one schedule and prints it.
The arguments are the runner that begins, the calls before which the other takes over, and the fault of a call (see
`schedules.Schedule`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation import mutants, repeats
from tests.simulation.course import course
from tests.simulation.harms import HARMS
from tests.simulation.patches import Patch, applied
from tests.simulation.schedules import Allowed, Crash, Explored, Explorer, Played, Schedule
from tests.simulation.small_worlds import WORLDS

ALL = Allowed(switches=2, crashes=1)
#: Mutant → the small world in which it is caught.
CAUGHT_IN = {
    "saves a batch without looking whether somebody else has": "publish, overwritten",
    "claims a file without the condition that it is free": "plan, collect: delivered again",
    "splits a batch in several transactions": "publish: split, overwritten",
    "forgets segments before the manifest stands": "plan, plan",
    "forgets which files of a batch were overwritten": "plan, plan: a key overwritten twice",
    "starts a run without the attempt's token": "submit, submit",
    "publishes without the attempt fence": "publish, overwritten and published",
    "closes a load whose batches have not moved": "settle, settle",
    "marks the days only after the batch is PUBLISHED": "nightly, publish",
    "lets a mark fall": "publish, publish: two batches",
    "commits the latest rows that it chose before it was overtaken": "publish, publish: latest rows of one user",
    "takes over a lock that is still held": "submit, submit: in turn",
}
MUTANTS: dict[str, Callable[[], list[Patch]]] = {
    **mutants.MUTANTS,
    **repeats.MUTANTS,
    **{name: harm.mutant for name, harm in HARMS.items()},
}


@dataclass(frozen=True)
class Caught:
    """How a mutant was caught."""

    mutant: str
    played: int  # number of schedules played, the last of which caught it
    schedule: Schedule
    problem: str


def explore(name: str, allowed: Allowed = ALL, stop: bool = False) -> Explored:
    """Play every schedule of a small world with at most the allowed deviations."""
    with course(WORLDS[name]) as play:
        return Explorer(play, allowed, stop).explore()


def catch(mutant: str) -> Caught:
    """The first schedule that catches the mutant in its small world; schedules with few deviations come first."""
    played = 0
    for allowed in (Allowed(0, 0), Allowed(1, 0), Allowed(0, 1), Allowed(1, 1), ALL):
        with applied(MUTANTS[mutant]()):
            found = explore(CAUGHT_IN[mutant], allowed, stop=True)
        played += found.played
        if found.broken:
            return Caught(mutant, played, *found.broken[0])
    return Caught(mutant, played, Schedule(), "")


def replay(name: str, schedule: Schedule) -> Played:
    """Play one schedule, with its trace."""
    with course(WORLDS[name], trace=True) as play:
        return play(schedule, Allowed(0, 0), ())


def main(name: str, first: str = "A", switches: str = "", crash: str = "") -> int:
    """Print the trace; 1 if a promise was broken."""
    numbers = tuple(int(number) for number in switches.split(",") if number)
    call, _, kind = crash.partition(":")
    found = replay(name, Schedule(first, numbers, Crash(int(call), kind or Crash.kind) if call else None))
    print("\n".join(found.trace))
    print(f"{name}: {found.problem or 'well'}")
    return bool(found.problem)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
