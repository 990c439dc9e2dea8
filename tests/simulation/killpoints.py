"""Plays small, eventful days with one fault at one AWS call, for each call of each handler in turn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.simulation.faults import CALM
from tests.simulation.invariants import Invariants
from tests.simulation.nights import declare_nights
from tests.simulation.quiet import quiet
from tests.simulation.scenario import play
from tests.simulation.simulation import Simulation
from tests.simulation.violation import Violation
from tests.simulation.world import declare

KINDS = ("kill_before", "kill_after", "lost_reply", "repeated", "throttle")
#: The faults that matter at a read. It has no effect, so a crash after it equals a crash before the next call.
READS_TOO = ("kill_before", "throttle")
WRITE = re.compile(r"Put|Update|Delete|Transact|Start|Cancel|Create|Execute")
CHAOS_SECONDS = 1500


@dataclass(frozen=True)
class Point:
    """The outcome of a day with one fault."""

    call: int
    kind: str
    where: str  # handler and operation
    problem: str


def files(simulation: Simulation) -> None:
    """Seven files, two of them overwritten and two of them poison; runs fail, a batch is split, and a load fails."""
    simulation.declared["orders"] = declare("orders", "supersede", 6, 3)
    simulation.redshift.longest = 2.0
    simulation.emr.script = ["capacity", "good", "late"] + ["good"] * 40
    good = [{"id": f"r{number}", "user": f"u{number % 2}", "note": "fine"} for number in range(8)]
    _land(simulation, 1, "a", good[0], good[1])
    _land(simulation, 2, "b", good[2], {"bad": True})
    _land(simulation, 3, "c", good[3], good[3])
    _land(simulation, 3, "poison", {"poison": "named"})
    _land(simulation, 4, "d", good[4])
    _land(simulation, 4, "e", {"poison": "unnamed"})
    _land(simulation, 760, "a", good[5], good[6])
    _land(simulation, 1000, "b", good[7])
    down = simulation.stage.epoch + timedelta(seconds=1160)
    simulation.stage.after(1000, "outage", lambda: setattr(simulation.redshift, "down_until", down))


def nights(simulation: Simulation) -> None:
    """Rows of two days; after the first night a file is overwritten: a late row comes, and a user's latest row goes."""
    simulation.declared["orders"] = declare("orders", "supersede", 6, 3, newest_by="")
    simulation.declared.update(declare_nights())
    simulation.redshift.longest = 2.0
    simulation.emr.script = ["good", "capacity"] + ["good"] * 40
    first, second = "2025-12-29", "2025-12-30"
    rows = [
        {"id": f"r{number}", "user": user, "note": "fine", "day": day}
        for number, (user, day) in enumerate((("u", first), ("v", second), ("v", first), ("w", first)))
    ]
    _land(simulation, 1, "a", rows[0], rows[1])
    _land(simulation, 2, "b", rows[2])
    _land(simulation, 1000, "b", rows[3])


STORIES = {"files": files, "nights": nights}


def _land(simulation: Simulation, after: float, key: str, *records: dict[str, Any]) -> None:
    simulation.stage.after(after, "land", lambda: simulation.land(f"orders/{key}", records))


def day(story: str, planned: dict[int, str], trace: bool = False) -> tuple[Simulation, str]:
    """Play the story's day with faults at the calls with these numbers."""
    simulation = Simulation(1, CALM, trace)
    simulation.faults.planned = dict(planned) or {-1: ""}
    invariants = Invariants(simulation)
    with quiet(simulation):
        try:
            STORIES[story](simulation)
            play(simulation, invariants, CHAOS_SECONDS)
        except Violation as broken:
            return simulation, str(broken)
    return simulation, ""


def points(story: str, kinds: tuple[str, ...] = KINDS, every: int = 1) -> Iterator[Point]:
    """Play each call of the undisturbed day with each kind of fault that can make a difference there."""
    undisturbed, problem = day(story, {})
    assert not problem, problem
    for kind in kinds:
        for call, where in list(undisturbed.calls_of.items())[::every]:
            if kind in READS_TOO or WRITE.search(where):
                _, problem = day(story, {call: kind})
                yield Point(call, kind, where, problem)


def coverage(found: list[Point]) -> dict[str, int]:
    """Handler and operation → number of its calls that had a fault."""
    return dict(sorted(Counter(point.where for point in found).items()))
