"""One small, eventful day, and one fault at one AWS call of it: each call of each handler in turn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.simulation.faults import CALM
from tests.simulation.invariants import Invariants, Violation
from tests.simulation.scenario import play
from tests.simulation.simulation import Simulation, quiet
from tests.simulation.world import declare

KINDS = ("kill_before", "kill_after", "lost_reply", "repeated", "throttle")
#: A read leaves nothing behind: dying after it is dying before the next call.
READS_TOO = ("kill_before", "throttle")
WRITE = re.compile(r"Put|Update|Delete|Transact|Start|Cancel|Create|Execute")
CHAOS_SECONDS = 1500


@dataclass(frozen=True)
class Point:
    """What became of a day with one fault."""

    call: int
    kind: str
    where: str  # handler and operation
    problem: str


def story(simulation: Simulation) -> None:
    """Seven files, two of them written again, two of them poison; runs fail, a batch is split, a load is refused."""
    simulation.declared["orders"] = declare("orders", "supersede", 6, 3)
    simulation.redshift.longest = 2.0
    simulation.emr.script = ["capacity", "good", "late"] + ["good"] * 40

    def land(after: float, key: str, *records: dict[str, Any]) -> None:
        simulation.stage.after(after, "land", lambda: simulation.land(f"orders/{key}", records))

    good = [{"id": f"r{number}", "user": f"u{number % 2}", "note": "fine"} for number in range(8)]
    land(1, "a", good[0], good[1])
    land(2, "b", good[2], {"bad": True})
    land(3, "c", good[3], good[3])
    land(3, "poison", {"poison": "named"})
    land(4, "d", good[4])
    land(4, "e", {"poison": "unnamed"})
    land(760, "a", good[5], good[6])
    land(1000, "b", good[7])
    down = simulation.stage.epoch + timedelta(seconds=1160)
    simulation.stage.after(1000, "outage", lambda: setattr(simulation.redshift, "down_until", down))


def day(planned: dict[int, str], trace: bool = False) -> tuple[Simulation, str]:
    """The day with faults at the calls of these numbers."""
    simulation = Simulation(1, CALM, trace)
    simulation.faults.planned = dict(planned) or {-1: ""}
    invariants = Invariants(simulation)
    with quiet(simulation):
        try:
            story(simulation)
            play(simulation, invariants, CHAOS_SECONDS)
        except Violation as broken:
            return simulation, str(broken)
    return simulation, ""


def points(kinds: tuple[str, ...] = KINDS, every: int = 1) -> Iterator[Point]:
    """Each call of the undisturbed day with each kind of fault that can make a difference there."""
    undisturbed, problem = day({})
    assert not problem, problem
    for kind in kinds:
        for call, where in list(undisturbed.calls_of.items())[::every]:
            if kind in READS_TOO or WRITE.search(where):
                _, problem = day({call: kind})
                yield Point(call, kind, where, problem)


def coverage(found: list[Point]) -> dict[str, int]:
    """Handler and operation → how many of its calls were disturbed."""
    return dict(sorted(Counter(point.where for point in found).items()))
