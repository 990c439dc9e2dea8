"""A simulation in which a test or a scenario says what happens, and the schedules do the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.simulation.faults import CALM
from tests.simulation.invariants import Invariants
from tests.simulation.quiet import quiet
from tests.simulation.s3 import Landed
from tests.simulation.simulation import Simulation
from tests.simulation.stage import POOL
from tests.simulation.violation import Violation
from tests.simulation.world import SETTINGS
from tidemark.core.lifecycle import Batch, State

MAX_WAIT, LOAD_EVERY = 60.0, 300.0  # seconds, as `declare` has them


class OpenWorld:
    """A simulation without faults, with actions for tests."""

    def __init__(self, *functions: str) -> None:
        self.sim = Simulation(5, CALM)
        self.invariants = Invariants(self.sim)
        for function in functions or ("plan", "load", "sweep"):
            self.sim.schedule(function)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return (self.sim.stage.time - self.sim.stage.epoch).total_seconds()

    def declare(self, name: str, policy: str = "supersede", files: int = 30, running: int = 3) -> None:
        self.sim.deploy(name, on_overwrite=policy, max_files=files, max_running=running)

    def at(self, seconds: float, act: Callable[[], Any]) -> None:
        self.sim.stage.after(seconds - self.seconds, "by the test", act)

    def land(self, key: str, record: dict[str, Any] | None = None) -> Landed:
        return self.sim.land(key, (record or row(key),))

    def put(self, key: str, *records: dict[str, Any]) -> Landed:
        """Land a file, and hold its event back until `hear`."""
        landed = self.sim.s3.land(SETTINGS.raw_bucket, key, records)
        self.sim.landed.append(landed)
        return landed

    def hear(self, landed: Landed) -> None:
        """Deliver the event of a file."""
        self.sim._enqueue(landed)

    def until(self, seconds: float) -> None:
        """Let the world go on until this time, and check every promise after every step."""
        while self.seconds < seconds:
            self.sim.stage.step()
            self.invariants.check()

    def until_some(self, state: State) -> Batch:
        """Let the world go on until a batch is in this state, and return the batch."""
        while not self.batches(state):
            self.until(self.seconds + 1)
        return self.batches(state)[0]

    def until_rest(self, seconds: float = 7200) -> None:
        """Let the world go on until everything is at rest; fail after so many seconds."""
        self.until(self.seconds + 600)
        end = self.seconds + seconds
        while self.invariants.unfinished():
            self.expect(self.seconds < end, f"stuck: {self.invariants.unfinished()[:3]}")
            self.until(self.seconds + 60)
        self.invariants.check_rest()

    def expect(self, met: bool, otherwise: str) -> None:
        """Raise `Violation` with the text unless `met`."""
        if not met:
            raise Violation(otherwise)

    def person(self, act: Callable[[Any], Any]) -> Any:
        """Run a command now, return its result, and raise its error."""
        answers: list[Any] = []

        def task(worker: Any) -> None:
            self.sim.function_of[worker], self.sim.invocation_of[worker] = "plan", -1
            answers.append(act(self.sim.world))

        worker = POOL.start(task)
        if worker.error:
            raise worker.error
        return answers[0]

    @contextmanager
    def deployed_just_now(self) -> Iterator[None]:
        """Runs code with the current declarations, as another function would, while the present function waits."""
        worker = POOL.current
        assert worker, "no function runs"
        before = self.sim.deployed_to.pop(worker)
        yield
        self.sim.deployed_to[worker] = before

    def batches(self, *states: State) -> list[Batch]:
        return [batch for batch in self.invariants.batches.values() if not states or batch.state in states]

    def in_warehouse(self, table: str = "orders") -> set[str]:
        return {row[0] for row in self.sim.redshift.read(f'SELECT * FROM "{table}"')}


@contextmanager
def world(*functions: str) -> Iterator[OpenWorld]:
    opened = OpenWorld(*functions)
    with quiet(opened.sim):
        yield opened


def row(name: str, day: str = "2025-12-30") -> dict[str, Any]:
    """A good record with this id."""
    return {"id": name, "user": "a", "note": "fine", "day": day, "first_added": "x"}
