"""Runs races: prepares a small world once, and restores it before each schedule."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.simulation.invariants import Invariants
from tests.simulation.moments import Fingerprints, Moment
from tests.simulation.quiet import quiet
from tests.simulation.race import Hand, Race, Raced, Runner, Step
from tests.simulation.scenario import play
from tests.simulation.schedules import Allowed, Play, Played, Schedule
from tests.simulation.simulation import Simulation
from tests.simulation.violation import Violation


@dataclass(frozen=True)
class SmallWorld:
    """A state that is prepared without faults, and the steps of the two runners that race from there."""

    prepare: tuple[Step, ...]
    a: tuple[Step, ...]
    b: tuple[Step, ...]
    promises: type[Invariants] = Invariants


@contextmanager
def course(world: SmallWorld, trace: bool = False) -> Iterator[Play]:
    """Prepares the small world once, and yields a function that plays a schedule in it from that state."""
    simulation = Raced(trace)
    invariants = world.promises(simulation)
    hand, prints = Hand(simulation, invariants), Fingerprints()
    rested: set[Hashable] = set()
    with quiet(simulation):
        for step in world.prepare:
            step(hand)
            invariants.check()
        ready = Moment(simulation, invariants)

        def run(schedule: Schedule, left: Allowed, known: Container[Hashable]) -> Played:
            ready.restore()
            runners = {"A": Runner(iter(world.a)), "B": Runner(iter(world.b))}
            race = Race(hand, runners, schedule, left, known, prints)
            race.run()
            problem, end = str(race.broken or ""), race.state()
            to_rest = race.merged is None and not problem and end not in rested
            if to_rest:
                rested.add(end)
                problem = _rest(simulation, invariants)
            return Played(tuple(race.gaps), race.merged, problem, to_rest, tuple(simulation.trace or ()))

        yield run


def _rest(simulation: Simulation, invariants: Invariants) -> str:
    """The broken promise on the way to rest, or at rest, by the schedules alone; "" if there is none."""
    try:
        play(simulation, invariants, chaos_seconds=0)
    except Violation as broken:
        return str(broken)
    return ""
