"""A race of two runners: the schedule alone decides which of them makes the next AWS call."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ReadTimeoutError

from tests.simulation.faults import CALM, Killed, refuse
from tests.simulation.invariants import Invariants
from tests.simulation.killpoints import WRITE
from tests.simulation.moments import Fingerprints
from tests.simulation.schedules import CANCELLED, KILL, LOST_REPLY, Allowed, Gap, Schedule
from tests.simulation.simulation import Simulation
from tests.simulation.stage import POOL, Worker
from tests.simulation.violation import Violation
from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError


class Raced(Simulation):
    """A simulation in which the race decides on each AWS call."""

    def __init__(self, trace: bool = False) -> None:
        super().__init__(1, CALM, trace)
        self.dynamodb.lag = lambda: 0.0
        self.redshift.longest = 2.0
        self.events_lost = True
        self.race: Race | None = None

    def call(self, operation: str, effect: Callable[[], Any], once: bool = False) -> Any:
        """Every AWS call of every double goes through here."""

        def perform() -> Any:
            return super(Raced, self).call(operation, effect, once)

        return self.race.call(operation, perform) if self.race else perform()


Step = Callable[["Hand"], None]
Ended = Callable[[BaseException | None, Any], None]


@dataclass
class Runner:
    """One of the two: its steps, in order, and all replies that it has received so far."""

    steps: Iterator[Step] = field(default_factory=lambda: iter(()))
    told: int = 0
    invocation: int = 0  # number of the current invocation; 0 between two steps
    gone: bool = False

    def ended(self, error: BaseException | None, _: Any = None) -> None:
        """An invocation has ended; if it failed, it was the runner's last."""
        self.invocation, self.gone = 0, error is not None


class Hand:
    """Moves a small world on, invocation by invocation, to prepare a race or for a runner."""

    def __init__(self, simulation: Raced, invariants: Invariants) -> None:
        self.simulation, self.invariants = simulation, invariants
        self.runner = Runner()

    def invoke(
        self, function: str, then: Callable[[BaseException | None], None] = lambda _: None, **event: Any
    ) -> None:
        """Run a handler, and call `then` with its error. In a race the handler may be stopped instead."""

        def start(ended: Ended) -> None:
            def both(error: BaseException | None, answer: Any) -> None:
                then(error)
                ended(error, answer)

            self.simulation.invoke(function, event, both)

        self._begin(start)

    def person(self, act: Callable[[World], object]) -> None:
        """A person runs a command, which may be refused."""

        def tried(_: Worker) -> None:
            with suppress(TidemarkError):
                act(self.simulation.world)

        self._begin(lambda ended: self.simulation.run("person", tried, ended))

    def batch(self, number: int) -> str:
        """The id of the batch that was created first (0), second (1), …"""
        return list(self.invariants.batches)[number]

    def pass_time(self, minutes: float = 0) -> None:
        """Wait until all runs and statements have ended, and so many minutes have passed."""
        stage = self.simulation.stage
        stage.after(60 * minutes, "time passes", lambda: None)
        while stage.waiting:
            stage.step()

    def _begin(self, start: Callable[[Ended], None]) -> None:
        self.runner.invocation = self.simulation.invocations + 1
        start(self.runner.ended)
        if self.simulation.race is None:
            while self.runner.invocation:
                self.simulation.stage.step()
            assert not self.runner.gone, "nothing fails while a race is prepared"


class Race:
    """One schedule of two runners, from the moment when both are ready."""

    def __init__(
        self, hand: Hand, runners: Mapping[str, Runner], schedule: Schedule, left: Allowed,
        known: Container[Hashable], prints: Fingerprints,
    ) -> None:  # fmt: skip
        self.hand, self.simulation, self.invariants = hand, hand.simulation, hand.invariants
        self.runners, self.left, self.known, self.prints = runners, left, known, prints
        self.schedule, self.name = schedule, schedule.first
        self.switches, self.crash = list(schedule.switches), schedule.crash  # still to come
        self.calls = 0  # calls of both together
        self.moved = False  # whether the current runner has made a call since it took over
        self.parked = False
        self.merged: Hashable = None  # the known state at which the race was left
        self.gaps: list[Gap] = []
        self.look: Hashable = None  # fingerprint of the present world; None when it may have changed
        self.broken: Violation | None = None

    # ── whose turn it is ────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Run until both have ended, a promise is broken, or a known state is reached."""
        self.simulation.race = self
        while not (self._over or all(runner.gone for runner in self.runners.values())):
            if self.parked or self.runner.gone:
                self.name, self.moved, self.parked = self._other, False, False
            self._go_on()
            self._check()
        self.simulation.race = None
        if (self.switches or self.crash) and not self._over:
            raise ValueError(f"{self.schedule} deviates at a call that never comes: there are {self.calls}")

    @property
    def runner(self) -> Runner:
        """The current runner."""
        return self.runners[self.name]

    @property
    def _other(self) -> str:
        return "B" if self.name == "A" else "A"

    @property
    def _over(self) -> bool:
        return self.merged is not None or self.broken is not None

    def _go_on(self) -> None:
        """Resume the runner until it stops again or ends a step."""
        runner, self.hand.runner, self.look = self.runner, self.runner, None
        if runner.invocation:
            self.simulation._resume(self._standing(runner))
        elif step := next(runner.steps, None):
            step(self.hand)
        else:
            runner.gone = True
        while runner.invocation and not self.parked:
            self.simulation.stage.step()  # it waits for the warehouse

    def _standing(self, runner: Runner) -> Worker:
        numbers = self.simulation.invocation_of
        return next(worker for worker in self.simulation.standing if numbers[worker] == runner.invocation)

    # ── at each call ────────────────────────────────────────────────────────────────────────────────────────

    def call(self, operation: str, perform: Callable[[], Any]) -> Any:
        """A call by anyone; a runner's call waits until the schedule allows it, and may never be made."""
        worker, runner = POOL.current, self.runner
        if worker is None or self.simulation.invocation_of[worker] != runner.invocation:
            return perform()
        kind = self._wait(worker, operation)
        self.calls, self.moved = self.calls + 1, True
        self.simulation.note(f"{self.name} {self.calls}: {operation} {kind}")
        reply = _reply(operation, perform, kind)
        self.look = None if WRITE.search(operation) else self.look
        runner.told = hash((runner.told, self.simulation.stage.time, self.prints.reply(operation, reply)))
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _wait(self, worker: Worker, operation: str) -> str:
        """Wait while the other runner is current, or crash; return any other fault of the call."""
        number, kind = self.calls + 1, ""
        if self.look is None:
            self._check()
        if self.switches and self.switches[0] == number:
            self.switches.pop(0)
            self.parked = True
            worker.park()
            number = self.calls + 1
        if self.crash and self.crash.call == number:
            kind, self.crash = self.crash.kind, None
        elif not (self.switches or self.crash or self._over):
            self._gap(number, f"{self.simulation.function_of[worker]} {operation}")
        if self._over or kind == KILL:
            self.simulation.note(f"{self.name} dies before {number}: {operation}")
            raise Killed
        return kind

    def _check(self) -> None:
        try:
            self.invariants.check()
        except Violation as broken:
            self.broken = broken

    def _gap(self, number: int, operation: str) -> None:
        """Record what else could happen here, unless all of it is known."""
        state = self.state()
        if state in self.known:
            self.merged = state
            return
        switches, crashes = self.left
        switched = self._state(self._other, False, Allowed(switches - 1, crashes), self._told())
        killed = self._state(self._other, False, Allowed(switches, crashes - 1), self._told(without=self.name))
        preemptible = self.moved and not self.runners[self._other].gone
        self.gaps.append(Gap(number, operation, preemptible, state, switched, killed))

    # ── what could be told apart ────────────────────────────────────────────────────────────────────────────

    def state(self) -> Hashable:
        """The present state, as far as anything that can follow depends on it."""
        return self._state(self.name, self.moved, self.left, self._told())

    def _state(self, name: str, moved: bool, left: Allowed, told: tuple[int | None, ...]) -> Hashable:
        """The state in which the named runner is current, and both have received these replies."""
        if self.look is None:
            self.look = (self.prints.world(self.simulation), self.prints.promises(self.invariants))
        if None in told:
            return (self.look, told, left.crashes)  # no runner is left to take over
        return (self.look, told, left, name, moved or not left.switches)

    def _told(self, without: str = "") -> tuple[int | None, ...]:
        """The replies that each of the two has received; None for a runner that has ended."""
        return tuple(None if one.gone or name == without else one.told for name, one in self.runners.items())


def _reply(operation: str, perform: Callable[[], Any], kind: str) -> Any:
    """The reply or error that the caller gets."""
    if kind == CANCELLED:
        return refuse("TransactionCanceledException", operation, CancellationReasons=[{"Code": "TransactionConflict"}])
    try:
        reply = perform()
    except Exception as refusal:  # noqa: BLE001 - raised again by the race
        reply = refusal
    return ReadTimeoutError(endpoint_url=f"simulated {operation}") if kind == LOST_REPLY else reply
