"""The story of one seed: what lands when, which faults happen, and the run to rest."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.simulation.actors import engage
from tests.simulation.faults import CALM, FAIR, Rates
from tests.simulation.invariants import Invariants
from tests.simulation.nights import declare_nights
from tests.simulation.people import resume
from tests.simulation.quiet import quiet
from tests.simulation.simulation import Simulation
from tests.simulation.violation import Violation
from tests.simulation.world import ADDED

CHAOS_SECONDS = 75 * 60  #: long enough for loads, which wait for runs, to meet faults as well
REST_HOURS_MAX = 12  #: of calm until rest: a long backoff may have just begun, and reconcile runs hourly
#: Days of the rows: the first is over, the second ends during the story, the third does not end.
DAYS = ("2025-12-30", "2025-12-30", "2025-12-31", "2025-12-31", "2026-01-01")
POLICIES = ("supersede", "supersede", "supersede", "append", "ignore")


@dataclass(frozen=True)
class Outcome:
    """The outcome of one seed."""

    seed: int
    files: int
    batches: int
    calls: int
    invocations: int
    hours: float  # of simulated time
    faults: dict[str, int]
    problem: str = ""
    trace: tuple[str, ...] = ()


def run(
    seed: int,
    rates: Rates | None = None,
    trace: bool = False,
    story: Callable[[Simulation], None] | None = None,
    promises: type[Invariants] = Invariants,
    rest_hours: int = REST_HOURS_MAX,
) -> Outcome:
    """Play a seed to its end. A broken promise becomes the outcome's `problem`, never an exception."""
    simulation = Simulation(seed, rates or weather(seed), trace)
    invariants = promises(simulation)
    problem = ""
    with quiet(simulation):
        try:
            (story or tell_story)(simulation)
            play(simulation, invariants, rest_hours=rest_hours)
        except Violation as broken:
            problem = str(broken)
            if trace and broken.__cause__:
                problem += "\n" + "".join(traceback.format_exception(broken.__cause__))
    return outcome(simulation, invariants, problem)


def weather(seed: int) -> Rates:
    """The rates of faults: fair in every fourth seed, where all must be done in time; otherwise all kinds of faults."""
    return FAIR if seed % 4 == 3 else Rates()


def outcome(simulation: Simulation, invariants: Invariants, problem: str) -> Outcome:
    """The outcome of a simulation."""
    hours = (simulation.stage.time - simulation.stage.epoch).total_seconds() / 3600
    return Outcome(
        simulation.seed, len(simulation.landed), len(invariants.batches), simulation.faults.calls,
        simulation.invocations, hours, dict(simulation.faults.counts), problem, tuple(simulation.trace or ()),
    )  # fmt: skip


def play(
    simulation: Simulation,
    invariants: Invariants,
    chaos_seconds: float = CHAOS_SECONDS,
    rest_hours: int = REST_HOURS_MAX,
) -> None:
    """Play faults for a while, then calm until everything is at rest; check promises after every step."""
    nights = any(dataset.nightly for dataset in simulation.declared.values())
    for function in ("plan", "load", "sweep", "reconcile", *(["nightly"] if nights else [])):
        simulation.schedule(function)
    chaos = True
    elapsed = 0.0
    while elapsed < chaos_seconds + rest_hours * 3600:
        simulation.stage.step()
        invariants.check()
        elapsed = (simulation.stage.time - simulation.stage.epoch).total_seconds()
        if chaos and elapsed > chaos_seconds and simulation.outages.over:
            chaos = False
            chaos_seconds = elapsed
            calm_down(simulation)
        if not chaos and at_rest(simulation, invariants):
            invariants.check_rest()
            return
    raise Violation(f"stuck {rest_hours} hours after the last fault: {invariants.unfinished()[:5]}")


def calm_down(simulation: Simulation) -> None:
    """Stop all faults, redrive what was given up, and resume paused datasets."""
    simulation.faults.use(CALM)
    simulation.events_lost = simulation.rng.random() < 0.5
    simulation.redrive()
    for name in simulation.settings:
        resume(simulation, name)


def at_rest(simulation: Simulation, invariants: Invariants) -> bool:
    """Whether nothing but the schedules is to come."""
    stage = simulation.stage
    under_way = stage.waiting or simulation.messages or simulation.standing or simulation.dead
    return not under_way and not invariants.unfinished()


def tell_story(simulation: Simulation) -> None:
    """Schedule what lands and how others act."""
    land_files(simulation)
    engage(simulation, CHAOS_SECONDS)


def land_files(simulation: Simulation) -> None:
    """Declare datasets and schedule what lands, throughout the story or only at its beginning."""
    rng = simulation.rng
    for name, newest_by in (("orders", None), ("clicks", rng.choice(("", "day")))):
        limits = {"max_files": rng.choice((6, 15, 30, 60)), "max_running": rng.choice((2, 3, 4))}
        simulation.deploy(name, on_overwrite=rng.choice(POLICIES), newest_by=newest_by, **limits)
    simulation.declared.update(declare_nights())
    if rng.random() < 0.75:
        simulation.open_warehouse()
    until = rng.choice((1500, CHAOS_SECONDS))
    keys: list[str] = []
    for number in range(rng.randint(60, 180)):
        name = rng.choice(("orders", "orders", "clicks"))
        again = [key for key in keys if key.startswith(name)] if rng.random() < 0.10 else []
        key = rng.choice(again) if again else f"{name}/{number:04d} +%C3.json"
        keys.append(key)
        records = contents(simulation, number)
        simulation.stage.after(
            rng.uniform(0, until), "land", lambda key=key, records=records: simulation.land(key, records)
        )


def contents(simulation: Simulation, number: int) -> tuple[dict[str, Any], ...]:
    """A raw file's records: good, bad and duplicate ones, now and then poison."""
    rng, faults = simulation.rng, simulation.faults
    for kind in ("named", "unnamed"):
        if faults.chance(f"poison_{kind}"):
            return ({"poison": kind},)
    records: list[dict[str, Any]] = []
    for line in range(rng.choice((0, 1, 1, 2, 3, 4))):
        user, day = rng.choice((None, *"aabbcdefghij")), rng.choice(DAYS)
        record = {
            "id": f"{number}-{line}",
            "user": user,
            "note": "fine",
            "day": day,
            ADDED[0]: "x",
            ADDED[1]: f"{line}",
        }
        if rng.random() < 0.1:
            record = {"bad": True}
        records += [record] * (2 if rng.random() < 0.05 else 1)
    if records and faults.chance("oversized"):
        records.append({"id": f"{number}-long", "user": "a", "note": "oversized for the column", "day": DAYS[0]})
    return tuple(records)
