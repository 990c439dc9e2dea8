"""Producers send everything twice to a dataset that deduplicates across batches; a mutant runs without the lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tidemark.service.dataset_lock as dataset_lock_module
import tidemark.service.submit as submit_module
from tests.simulation import scenario
from tests.simulation.faults import Rates
from tests.simulation.invariants import SHOWN, Invariants
from tests.simulation.mutants import ROUGH
from tests.simulation.patches import Patch
from tests.simulation.scenario import Outcome
from tests.simulation.simulation import Simulation
from tests.simulation.violation import Violation
from tests.simulation.world import declare
from tidemark.core.lifecycle import State

DATASET = "orders"
KEYS = 40  #: few enough that nearly every record is a duplicate


class Once(Invariants):
    """The invariants, and one more: no two batches ever show the same key."""

    def check(self) -> None:
        """Raise `Violation` if the step has broken a promise."""
        published = any(batch.state in SHOWN for batch in self.moved)
        super().check()
        if published:
            self._check_keys()

    def _check_keys(self) -> None:
        holders: dict[str, str] = {}
        for batch in self.batches.values():
            rows = self.readers.output(batch.batch_id, batch.published)[DATASET] if batch.published else []
            for key in (row[0] for row in rows):
                other = holders.setdefault(key, batch.batch_id)
                if other != batch.batch_id:
                    raise Violation(f"{key} is shown by {other} and by {batch.batch_id}")

    def check_rest(self) -> None:
        """Every key of a file is shown, unless a file of its batch was overwritten: that may remove its keys, too."""
        super().check_rest()
        if "supersede" in self.policies(f"{DATASET}/"):
            return
        shown = {row[0] for row in self.sim.catalog.rows(DATASET)}
        loaded = [batch for batch in self.batches.values() if batch.state is State.LOADED]
        files = [self.sim.s3.raw[identity] for batch in loaded for identity in self.manifest(batch.manifest)]
        lost = {record["id"] for file in files for record in file.records if "id" in record} - shown
        if lost:
            raise Violation(f"{sorted(lost)} came and are shown by nobody")


def tell_story(simulation: Simulation) -> None:
    """Lands sixty files of a few records each, with few keys; now and then a file is overwritten."""
    rng = simulation.rng
    policy = rng.choice(("supersede", "append", "ignore"))
    simulation.declared[DATASET] = declare(DATASET, policy, rng.choice((5, 10, 20)), rng.choice((2, 3, 4)), "7d")
    for number in range(60):
        again = rng.random() < 0.1 and number
        key = f"{DATASET}/{rng.randrange(number) if again else number:04d}.json"
        records = _records(simulation)
        moment = rng.uniform(0, 1500)
        simulation.stage.after(moment, "land", lambda key=key, records=records: simulation.land(key, records))


def _records(simulation: Simulation) -> tuple[dict[str, Any], ...]:
    rng, faults = simulation.rng, simulation.faults
    for kind in ("named", "unnamed"):
        if faults.chance(f"poison_{kind}"):
            return ({"poison": kind},)
    numbers = [rng.randrange(KEYS) for _ in range(rng.choice((1, 2, 3)))]
    return tuple({"id": f"r{number}", "user": f"u{number % 3}", "note": "fine"} for number in numbers)


def run(seed: int, rates: Rates = ROUGH, trace: bool = False) -> Outcome:
    """Play a seed of this story.

    Batches take turns, so rest comes later: one that is split runs part by part, each found by sweep where events are
    lost.
    """
    return scenario.run(seed, rates, trace, tell_story, Once, rest_hours=24)


def _forgets_the_younger() -> list[Patch]:
    original = dataset_lock_module.window
    return [(dataset_lock_module, "window", lambda dataset, batch: (original(dataset, batch)[0], batch.created_at))]


MUTANTS: dict[str, Callable[[], list[Patch]]] = {
    "runs batches without the dataset lock": lambda: [(submit_module, "next_to_run", lambda _, batch: batch)],
    "takes over a lock that is still held": lambda: [(dataset_lock_module, "is_released", lambda *_: True)],
    "forgets what younger batches have shown": _forgets_the_younger,
}
