"""Turns step by step: who runs, who waits, and which keys a batch is told, over the simulation's AWS without faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulation.faults import CALM
from tests.simulation.quiet import quiet
from tests.simulation.simulation import Simulation
from tests.simulation.world import SETTINGS, declare
from tidemark.core.dataset_lock import LockHolder
from tidemark.core.errors import Transient
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import Batch, FileRefused, Poisoned, Renewed, Replayed, State
from tidemark.core.manifest import Manifest
from tidemark.service.documents import attempt_key
from tidemark.service.plan import form
from tidemark.service.publish import publish
from tidemark.service.submit import submit
from tidemark.service.transitions import move


class Shop:
    """A dataset that remembers keys; no event comes by itself, each test asks for the steps."""

    def __init__(self, simulation: Simulation, deduplication_window: str) -> None:
        self.sim, self.world = simulation, simulation.world
        simulation.events_lost = True
        simulation.declared["orders"] = declare("orders", "supersede", 10, 3, deduplication_window)

    def plan(self, number: int, *keys: str) -> str:
        """A batch, PLANNED, of one file with these keys."""
        name = f"orders.20260101T0{number:05d}.00000000"
        landed = self.sim.s3.land(
            "raw", f"orders/{number}", tuple({"id": key, "user": "u", "note": ""} for key in keys)
        )
        file = FileVersion(landed.bucket, landed.key, landed.version, 100)
        now = self.sim.stage.now()
        batch = Batch(name, "orders", now, now, state=State.PLANNED, due_at=now, files=1)
        batch = self.world.ledger.batches.save(batch)
        key = attempt_key(batch, "manifest.json")
        self.sim.s3.objects[SETTINGS.control_bucket, key] = Manifest(name, 1, "orders", (file,)).dumps().encode()
        self.put(batch, manifest=key)
        self.sim.stage.after(1, "a second later", lambda: None)
        self.sim.stage.step()
        return name

    def put(self, batch: Batch, **changes: Any) -> None:
        """Save the batch with changes."""
        self.world.ledger.batches.save(Batch(**{**batch.__dict__, **changes}))

    def batch(self, name: str) -> Batch:
        """As it is now."""
        found = self.world.ledger.batches.get(name)
        assert found
        return found

    def move(self, name: str, event: Any) -> None:
        """Advance the batch by an event of its present attempt."""
        move(self.world, self.batch(name), event)

    def replay(self, name: str) -> None:
        """Begin the batch's next attempt, of the same files, as if a slot were free."""
        self.move(name, Replayed(1))
        form(self.world, name)

    def finish(self, name: str) -> None:
        """Wait for the runs that are under way, and publish the batch."""
        while self.sim.stage.heap:
            self.sim.stage.step()
        publish(self.world, name)

    def seen(self, name: str) -> list[str]:
        """The keys that the batch's present attempt was told."""
        spec = json.loads(self.sim.s3.objects[SETTINGS.control_bucket, attempt_key(self.batch(name), "job_spec.json")])
        return sorted(key for file in spec["seen"] for (key,) in self.sim.data.read(file["uri"]))

    def states(self, *names: str) -> list[State]:
        """Where the batches stand."""
        return [self.batch(name).state for name in names]


@pytest.fixture
def shop() -> Iterator[Shop]:
    """An empty shop."""
    simulation = Simulation(1, CALM)
    with quiet(simulation):
        yield Shop(simulation, "7d")


def test_the_second_batch_waits_until_the_first_is_published(shop: Shop) -> None:
    """Both have the key: the second is told so, and drops its copy; the first was told nothing."""
    first, second = shop.plan(1, "a", "b"), shop.plan(2, "b", "c")
    submit(shop.world, first)
    submit(shop.world, second)
    assert shop.states(first, second) == [State.RUNNING, State.PLANNED]
    shop.finish(first)
    submit(shop.world, first)  # as the ledger's stream does, when the keys are there
    assert shop.states(first, second) == [State.PUBLISHED, State.RUNNING]
    shop.finish(second)
    assert (shop.seen(first), shop.seen(second)) == ([], ["a", "b"])
    counts = [shop.batch(name).counts for name in (first, second)]
    assert [(one.kept, one.duplicate_records) for one in counts] == [(2, 0), (1, 1)]


def test_of_those_that_wait_the_oldest_is_next(shop: Shop) -> None:
    """Whoever asks: the youngest batch's event starts the oldest batch."""
    names = [shop.plan(number, "a") for number in (1, 2, 3)]
    submit(shop.world, names[2])
    assert shop.states(*names) == [State.RUNNING, State.PLANNED, State.PLANNED]


def test_a_publisher_that_died_keeps_the_others_waiting(shop: Shop) -> None:
    """The run has ended, and its keys are not known yet: the next look at the batch publishes it, then others go."""
    first, second = shop.plan(1, "a"), shop.plan(2, "a")
    submit(shop.world, first)
    while shop.sim.stage.heap:
        shop.sim.stage.step()
    submit(shop.world, second)
    assert shop.states(first, second) == [State.RUNNING, State.PLANNED]
    publish(shop.world, first)
    submit(shop.world, second)
    assert shop.seen(second) == ["a"]


def test_a_submitter_that_died_is_continued_with_the_same_spec(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn is taken and the job spec stands: the next look starts the run, and nobody else gets in between."""
    first, second = shop.plan(1, "a"), shop.plan(2, "a")

    def throttled(**_: Any) -> str:
        raise Transient("rate exceeded")

    with monkeypatch.context() as patched:
        patched.setattr(shop.world.engine, "start", throttled)
        submit(shop.world, first)
    spec = shop.sim.s3.objects[SETTINGS.control_bucket, attempt_key(shop.batch(first), "job_spec.json")]
    submit(shop.world, second)
    assert shop.states(first, second) == [State.PLANNED, State.PLANNED]
    submit(shop.world, first)
    assert shop.states(first, second) == [State.RUNNING, State.PLANNED]
    assert shop.sim.s3.objects[SETTINGS.control_bucket, attempt_key(shop.batch(first), "job_spec.json")] is spec


@pytest.mark.parametrize("ending", [Renewed, FileRefused, Poisoned])
def test_an_attempt_that_is_over_gives_way_and_shows_nothing_later(shop: Shop, ending: Any) -> None:
    """Its zombie run ends well, and is not published: the keys that the other batch kept stay the only ones."""
    first, second = shop.plan(1, "a"), shop.plan(2, "a")
    submit(shop.world, first)
    shop.move(first, ending(1, "overtaken"))
    submit(shop.world, second)
    assert shop.batch(second).state is State.RUNNING
    shop.finish(first)
    shop.finish(second)
    assert (shop.batch(first).published, shop.batch(second).published) == (0, 1)
    assert (shop.seen(second), shop.batch(second).counts.kept) == ([], 1)


def test_a_failed_run_lets_another_go_first(shop: Shop) -> None:
    """The retry waits for its backoff, and then it is told what has been shown meanwhile."""
    shop.sim.emr.script = ["transient", "good", "good"]
    first, second = shop.plan(1, "a", "b"), shop.plan(2, "b")
    submit(shop.world, first)
    shop.finish(first)
    assert (shop.batch(first).state, shop.batch(first).attempt) == (State.PLANNED, 2)
    submit(shop.world, second)
    assert shop.states(first, second) == [State.PLANNED, State.RUNNING]
    shop.finish(second)
    waiting = shop.batch(first)
    shop.put(waiting, not_before=None)
    submit(shop.world, first)
    assert shop.seen(first) == ["b"]


def test_a_replay_is_told_of_the_younger_and_not_of_itself(shop: Shop) -> None:
    """Its own earlier rows are replaced, so they are no repetition; what others show, it must not show again."""
    first, second = shop.plan(1, "a", "b"), shop.plan(2, "b", "c")
    for name in (first, second):
        submit(shop.world, name)
        shop.finish(name)
    shop.replay(first)
    submit(shop.world, first)
    shop.finish(first)
    assert shop.seen(first) == ["c"]
    assert (shop.batch(first).published, shop.batch(first).counts.kept) == (2, 2)
    shop.replay(second)
    submit(shop.world, second)
    assert shop.seen(second) == ["a", "b"]


def test_only_batches_of_the_window_count(shop: Shop) -> None:
    """A key that was shown by a batch created longer ago than `deduplication_window` is a new key."""
    first = shop.plan(1, "a")
    submit(shop.world, first)
    shop.finish(first)
    shop.sim.stage.after(7 * 86_400, "a week later", lambda: None)
    shop.sim.stage.step()
    second = shop.plan(2, "a")
    submit(shop.world, second)
    assert shop.seen(second) == []


def test_without_remember_nobody_waits(shop: Shop) -> None:
    """Batches run side by side, and their orders and the ledger know nothing of turns."""
    shop.sim.declared["orders"] = declare("orders", "supersede", 10, 3)
    names = [shop.plan(number, "a") for number in (1, 2)]
    for name in names:
        submit(shop.world, name)
    assert shop.states(*names) == [State.RUNNING, State.RUNNING]
    spec = json.loads(shop.sim.s3.objects[SETTINGS.control_bucket, attempt_key(shop.batch(names[0]), "job_spec.json")])
    assert "seen" not in spec
    assert shop.world.ledger.locks.holder("orders") is None


def test_the_turn_is_the_attempts(shop: Shop) -> None:
    """The ledger says which attempt may run."""
    first = shop.plan(1, "a")
    submit(shop.world, first)
    assert shop.world.ledger.locks.holder("orders") == LockHolder(first, 1)
