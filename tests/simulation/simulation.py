"""One seed: its clients, its clock, its event sources, and everything that makes the handlers run."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from tests.simulation.dynamodb import SimDynamoDB
from tests.simulation.emr import SimEMR
from tests.simulation.faults import CALM, Faults, Killed, Rates, disturbed
from tests.simulation.iceberg import SimCatalog
from tests.simulation.job import DataStore
from tests.simulation.outages import Outages
from tests.simulation.redshift import SimRedshift
from tests.simulation.s3 import Landed, SimS3
from tests.simulation.stage import POOL, Stage, Worker
from tests.simulation.world import (
    CONTEXT,
    ROUTES,
    SCHEDULES,
    SETTINGS,
    TIMEOUTS,
    Clocks,
    SimWorld,
    declare,
    handler,
    memoized,
)
from tidemark.adapters.ledger.items import parse_batch
from tidemark.core.dataset import Dataset
from tidemark.core.errors import TidemarkError
from tidemark.core.job_code import CODE, ENTRY
from tidemark.service.load import ensure_tables


@dataclass
class Message:
    """One SQS message."""

    number: int
    landed: Landed
    visible_at: float = 0.0  # seconds since the start
    received: int = 0


class Simulation:
    """Everything of one seed. `trace` collects a line for whatever happens."""

    def __init__(self, seed: int, rates: Rates, trace: bool = False) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.stage = Stage()
        self.faults = Faults(self.rng, rates)
        self.trace: list[str] | None = [] if trace else None
        self.data = DataStore()
        self.events_lost = False
        self.looks_at_seal = False
        self.messages: list[Message] = []
        self.dead: list[Message] = []
        self.polling = False
        self.landed: list[Landed] = []
        self.received: list[Landed] = []  # taken from the queue for good in this step
        self.invocations = 0
        self.watchers: list[Callable[[str, str, Any, Any], None]] = []
        self.failed: list[tuple[str, BaseException]] = []
        self.calls_of: dict[int, str] = {}
        self.function_of: dict[Worker, str] = {}
        self.invocation_of: dict[Worker, int] = {}
        self.deployed_to: dict[Worker, Mapping[str, Dataset]] = {}  # the declarations as its invocation began
        self.night_news = 0  # writes by which a period may have become due
        self.night_seen = 0  # after so many of them a whole pass has found nothing due
        lag = self.rng.choice((0.0, 2.0, 20.0))
        now = self.stage.now
        self.outages = Outages(now, self.rng)
        self.lag = lag
        self.dynamodb = self.new_ledger()
        self.s3 = SimS3(self.call, now, self.data)
        self.s3.objects[SETTINGS.control_bucket, f"{CODE}{ENTRY}"] = b""  # from before there were versions
        self.emr = SimEMR(self.call, self.stage, self.faults, self.s3, self.data, self.tell)
        self.redshift = SimRedshift(self.call, self.stage, self.faults, self.s3, self.data, self.tell)
        self.catalog = SimCatalog(self.call, self.faults, self.data, {}, now_ms=lambda: int(now().timestamp() * 1000))
        self.declared: dict[str, Dataset] = {}
        self.retired: set[str] = set()
        self.parse_batch = memoized(parse_batch)
        clients = {
            "dynamodb": self.dynamodb, "s3": self.s3, "emr-serverless": self.emr, "redshift-data": self.redshift,
            "events": SimpleNamespace(put_events=self._put_events),
        }  # fmt: skip
        self.retired_once: set[str] = set()  # datasets that were not declared at some time
        self.policies: dict[str, set[str]] = {}  # dataset → what it has done with overwritten keys, by `deploy`
        self.settings: dict[str, dict[str, Any]] = {}  # of `deploy`, by dataset
        self.skews: dict[str, timedelta] = {}  # by which a function's clock is fast
        clock = Clocks(self.stage, self.function, self.skews)
        self.world = SimWorld(SETTINGS, clock, clients, self._deployed, self._catalog)

    def _declared(self) -> Mapping[str, Dataset]:
        return {name: found for name, found in self.declared.items() if name not in self.retired}

    def _deployed(self) -> Mapping[str, Dataset]:
        """A function that is in the midst of something goes on with the declarations that it began with."""
        known = self.deployed_to.get(POOL.current) if POOL.current else None
        return self._declared() if known is None else known

    def function(self) -> str:
        """Whose code runs at the moment."""
        return self.function_of.get(POOL.current, "") if POOL.current else ""

    def deploy(self, name: str, **changes: Any) -> None:
        """Declare a dataset, or change what was declared of it; see `world.declare`."""
        self.settings[name] = {**self.settings.get(name, {}), **changes}
        self.declared[name] = declare(name, **self.settings[name])
        self.policies.setdefault(name, set()).add(self.declared[name].on_overwrite)

    def retire(self, name: str) -> None:
        """Take a dataset's declaration away, until `revive`."""
        self.retired.add(name)
        self.retired_once.add(name)

    def revive(self) -> None:
        """Declare again whatever was taken away."""
        self.retired.clear()

    def open_warehouse(self) -> None:
        """Make every table of the warehouse, as the first loads would: in most seeds it is not new."""
        rates = self.faults.rates
        self.faults.use(CALM)
        warehouse = SimpleNamespace(apply=lambda _, statements: self.redshift.make(statements))
        before: Any = SimpleNamespace(ledger=self.world.ledger, warehouse=warehouse)
        ensure_tables(before, (table for dataset in self.declared.values() for table in dataset.tables))
        self.faults.use(rates)

    def new_ledger(self) -> SimDynamoDB:
        """An empty table that tells this simulation of each write."""
        cancelled = lambda: self.faults.chance("cancelled_transaction")  # noqa: E731
        return SimDynamoDB(self.call, self.stage.now, lambda: self.lag, self._written, cancelled)

    def _catalog(self, options: Mapping[str, Any]) -> Any:
        self.catalog.options = options
        return self.catalog

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────

    def call(self, operation: str, effect: Callable[[], Any], once: bool = False) -> Any:
        """Every AWS call of every double passes here."""
        before = self.faults.counts.copy() if self.trace is not None else None
        worker = POOL.current
        if worker:
            self.calls_of[self.faults.calls + 1] = f"{self.function_of.get(worker, '?')} {operation}"
        try:
            return disturbed(self.faults, self.pause, operation, lambda: self._reach(operation, effect), once)
        finally:
            if before is not None:
                kinds = ", ".join((self.faults.counts - before).keys())
                self.note(f"    {self.faults.calls:5d} {self.function_of.get(worker, '?')} {operation} {kinds}")  # type: ignore[arg-type]

    def _reach(self, operation: str, effect: Callable[[], Any]) -> Any:
        self.outages.check(operation)
        return effect()

    def pause(self, seconds: float = 0.0) -> None:
        """Stand still inside a handler; the world goes on."""
        worker = POOL.current
        assert worker, "only a handler can stand still"
        limit = TIMEOUTS[self.function_of[worker]]
        self.stage.after(seconds or self.rng.uniform(1, limit), "resumed", lambda: self._resume(worker))
        worker.park()

    def note(self, line: str) -> None:
        """A line of the trace."""
        if self.trace is not None:
            self.trace.append(f"{(self.stage.time - self.stage.epoch).total_seconds():8.1f} {line}")

    # ── invocations ─────────────────────────────────────────────────────────────────────────────────────────

    def invoke(self, function: str, event: dict[str, Any], ended: Callable[[BaseException | None, Any], None]) -> None:
        """Run a handler; `ended` is told its error or its answer, perhaps much later."""
        self.run(function, lambda worker: handler(worker, function, self.world)(event, CONTEXT), ended)

    def run(self, name: str, act: Callable[[Worker], Any], ended: Callable[[BaseException | None, Any], None]) -> None:
        """Run what a handler, or a person, does in a thread that can stand still."""
        self.invocations += 1
        answers: list[Any] = []

        number = self.invocations

        def task(worker: Worker) -> None:
            self.function_of[worker], self.invocation_of[worker] = name, number
            self.deployed_to[worker] = self._declared()
            try:
                answers.append(act(worker))
            finally:
                del self.deployed_to[worker]

        worker = POOL.start(task)
        self._after(worker, name, lambda error: ended(error, answers[0] if answers else None))

    def _after(self, worker: Worker, function: str, ended: Callable[[BaseException | None], None]) -> None:
        if worker.parked:
            self.standing[worker] = (function, ended)
            return
        error = worker.error
        if error is not None:
            self.note(f"  {function} failed: {type(error).__name__} {error}")
            if not isinstance(error, Killed):
                self.failed.append((function, error))
        ended(error)

    def _resume(self, worker: Worker) -> None:
        function, ended = self.standing.pop(worker)
        POOL.resume(worker)
        self._after(worker, function, ended)

    @cached_property
    def standing(self) -> dict[Worker, tuple[str, Callable[[BaseException | None], None]]]:
        """Handlers that stand still in front of an AWS call."""
        return {}

    def discard(self) -> None:
        """Kill what still stands, so that the threads can serve another seed."""
        for worker in list(self.standing):
            worker.doomed = True
            POOL.resume(worker)
        self.standing.clear()

    # ── event sources ───────────────────────────────────────────────────────────────────────────────────────

    def tell(self, event: dict[str, Any]) -> None:
        """A service's event on the default bus: best effort."""
        self.note(f"  event {event['detail']}")
        if self.events_lost or self.faults.chance("event_dropped"):
            return
        function = "publish" if event["source"] == "aws.emr-serverless" else "settle"
        for _ in range(2 if self.faults.chance("event_doubled") else 1):
            self.later(function, event)

    def later(self, function: str, event: dict[str, Any], retries: int = 2) -> None:
        """An asynchronous invocation: tried again twice, then left to the dead letters (and to sweep)."""
        self.stage.after(self.rng.uniform(0.1, 20), function, lambda: self._async(function, event, retries))

    def person(self, command: str, act: Callable[[SimWorld], object]) -> None:
        """A person does something at the command line, and is told where it cannot be done."""

        def tried(_: Worker) -> None:
            with suppress(TidemarkError):
                act(self.world)

        self.note(f"person: {command}")
        self.run("person", tried, lambda *_: None)

    def _async(self, function: str, event: dict[str, Any], retries: int) -> None:
        def ended(error: BaseException | None, _: Any) -> None:
            if error is not None and retries:
                self.stage.after(60, f"{function} again", lambda: self._async(function, event, retries - 1))

        self.note(f"{function} {json.dumps(event['detail'])}")
        self.invoke(function, event, ended)

    def schedule(self, function: str, drain: bool = False) -> None:
        """Every so often, from now on; a failed invocation is not repeated."""
        seconds = SCHEDULES[function]

        def act() -> None:
            self.stage.after(seconds, function, act, recurring=True)
            self.note(f"{function} (schedule)")
            news = self.night_news

            def ended(error: BaseException | None, answer: Any) -> None:
                if function == "nightly" and error is None and answer == {"batches": 0}:
                    self.night_seen = news

            self.invoke(function, {}, ended)

        self.stage.after(self.rng.uniform(1, seconds), function, act, recurring=True)

    def _put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            for entry in Entries:
                detail = json.loads(entry["Detail"])
                function = "nightly" if detail["nightly"] and detail["state"] == "FORMING" else ROUTES[detail["state"]]
                self.later(function, {"source": "tidemark", "detail": detail})
            return {"FailedEntryCount": 0}

        return self.call("events.PutEvents", effect)

    def _written(self, pk: str, sk: str, old: Any, new: Any) -> None:
        for watcher in self.watchers:
            watcher(pk, sk, old, new)
        if sk == "BATCH" and new:
            self.note(f"  {new['batch_id']['S']} {new['state']['S']} attempt {new['attempt']['N']}")
        state = new["state"]["S"] if sk == "BATCH" and new else ""
        of_night = bool(state and "period" in new)
        self.night_news += pk.startswith("CHANGED#") or (of_night and state not in ("LOADING", "LOADED"))
        if state == "PLANNED" or pk.startswith("KEYS#"):
            self._stream("submit", new, 5)
        elif state == "PUBLISHED" and of_night:
            self._stream("nightly", new, 5)

    def _stream(self, function: str, image: dict[str, Any], retries: int) -> None:
        if self.events_lost or self.faults.chance("event_dropped"):
            return
        copies = 2 if self.faults.chance("event_doubled") else 1
        record = {"eventID": image["batch_id"]["S"], "dynamodb": {"NewImage": image, "SequenceNumber": "1"}}

        def deliver(left: int) -> None:
            def ended(error: BaseException | None, answer: Any) -> None:
                if (error is not None or answer["batchItemFailures"]) and left:
                    self.stage.after(2, "stream again", lambda: deliver(left - 1))

            self.note(f"{function} {image['batch_id']['S']} (stream)")
            self.invoke(function, {"Records": [record] * copies}, ended)

        self.stage.after(self.rng.uniform(0.2, 5), "stream", lambda: deliver(retries))

    # ── landing and the queue ───────────────────────────────────────────────────────────────────────────────

    def land(self, key: str, records: tuple[dict[str, Any], ...]) -> Landed:
        """A file lands: its event comes once or twice, sooner or later, in any order, or (by seed) never."""
        landed = self.s3.land(SETTINGS.raw_bucket, key, records)
        self.landed.append(landed)
        self.note(f"landed {key} {landed.version} {json.dumps(records)[:60]}")
        if self.faults.chance("multipart"):
            self.s3.began(landed, self.stage.time - timedelta(seconds=self.rng.uniform(0, 1800)))
        if self.faults.chance("landing_dropped"):
            return landed
        for _ in range(2 if self.rng.random() < 0.05 else 1):
            delay = self.rng.uniform(0.2, 5) if self.rng.random() < 0.9 else self.rng.uniform(5, 600)
            self.stage.after(delay, f"event of {key}", lambda: self._enqueue(landed))
        return landed

    def _enqueue(self, landed: Landed) -> None:
        self.messages.append(Message(len(self.messages), landed))
        self._poll(self.rng.uniform(0.5, 20))

    def _poll(self, seconds: float) -> None:
        if not self.polling:
            self.polling = True
            self.stage.after(seconds, "poll", self._receive)

    def _receive(self) -> None:
        self.polling = False
        moment = (self.stage.time - self.stage.epoch).total_seconds()
        visible = [message for message in self.messages if message.visible_at <= moment]
        self.rng.shuffle(visible)
        taken = visible[: self.rng.choice((1, 5, 20, 100))]
        for message in taken:
            message.visible_at, message.received = moment + 380, message.received + 1
        if taken:
            self.note(f"collect {[message.landed.version for message in taken]}")
            records = [
                {"messageId": str(message.number), "body": json.dumps(message.landed.event), "eventSource": "aws:sqs"}
                for message in taken
            ]
            self.invoke("collect", {"Records": records}, lambda error, answer: self._received(taken, error, answer))
        if self.messages:
            soon = min(message.visible_at for message in self.messages)
            self._poll(max(1.0, soon - moment))

    def _received(self, taken: list[Message], error: BaseException | None, answer: Any) -> None:
        if error is None:
            assert not answer["batchItemFailures"]
            gone = {id(message) for message in taken}
            self.received += [message.landed for message in taken]
            self.messages = [one for one in self.messages if id(one) not in gone or self.rng.random() < 0.01]
            return
        spent = {id(message) for message in taken if message.received >= 5}
        self.dead += [message for message in taken if id(message) in spent]
        self.messages = [message for message in self.messages if id(message) not in spent]

    def redrive(self) -> None:
        """A person sends the dead letters again."""
        for message in self.dead:
            self._enqueue(message.landed)
        self.dead.clear()
