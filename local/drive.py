"""Drives the laptop cloud until all batches are at rest, invoking each scheduled step as soon as it has work."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.cloud import Cloud
from tidemark.adapters.world import World
from tidemark.core.due_periods import WHOLE
from tidemark.core.lifecycle import TO_BE_PUBLISHED, Batch, State

LOOK_SECONDS = 0.3
SWEEP_SECONDS = 20.0
NEVER = "9999"  # some producers write a date from this year on for "never"


@dataclass(frozen=True)
class Progress:
    """The progress of a drive, per dataset."""

    seconds: float
    pending: Mapping[str, int]  # dataset → files waiting for a batch
    batches: Mapping[str, tuple[Batch, ...]]  # dataset → every batch

    def states(self, dataset: str) -> Counter[State]:
        """The dataset's batches by state."""
        return Counter(batch.state for batch in self.batches[dataset])

    @property
    def everything(self) -> Counter[State]:
        """All batches by state."""
        return sum((self.states(name) for name in self.batches), Counter())

    @property
    def at_rest(self) -> bool:
        """Whether nothing is pending and every batch is at rest."""
        return not any(self.pending.values()) and all(
            batch.at_rest for batches in self.batches.values() for batch in batches
        )

    @property
    def waiting_for(self) -> str:
        """What the drive is waiting for, in words."""
        states = self.everything
        if states[State.PLANNED] + states[State.RUNNING]:
            ready = sum(states[state] for state in (State.PUBLISHED, State.LOADING, State.LOADED))
            return f"Spark: {ready} of {sum(states.values())} batches are through"
        if states[State.LOADING] or states[State.PUBLISHED]:
            return "the warehouse's COPY"
        return "batches to form" if any(self.pending.values()) else "the queue"


class Stuck(Exception):
    """The batches did not come to rest in time; the message says what is left."""


def drive(
    cloud: Cloud, world: World, seen: Callable[[Progress], None], seconds_max: float = 1_800, *, nights: bool = False
) -> Progress:
    """Plan, load and sweep until everything is at rest; `seen` receives the progress after every round.

    With `nights`, the nightly jobs then run for every day that has rows.
    """
    began = swept = time.monotonic()
    while True:
        _wait_idle(cloud, seconds_max)
        progress = look(world, time.monotonic() - began)
        seen(progress)
        if progress.at_rest and cloud.dispatcher.idle() and not (nights and _begin_nightly_jobs(cloud, world)):
            return progress
        if progress.seconds > seconds_max:
            raise Stuck(f"not at rest after {seconds_max:.0f} s, waiting for {progress.waiting_for}")
        _take_next_steps(cloud, progress)
        if time.monotonic() - swept > SWEEP_SECONDS:
            cloud.invoke("Sweep", {})
            swept = time.monotonic()
        time.sleep(LOOK_SECONDS)


def _wait_idle(cloud: Cloud, seconds_max: float) -> None:
    try:
        cloud.dispatcher.wait_idle(seconds_max)
    except TimeoutError as error:
        raise Stuck(f"not at rest after {seconds_max:.0f} s: {error}") from error


def look(world: World, seconds: float) -> Progress:
    """The current progress according to the ledger."""
    pending = {
        name: sum(segment.head.files for segment in world.ledger.segments.all(name) if not segment.batch_id)
        for name in world.datasets
    }
    return Progress(seconds, pending, {name: tuple(world.ledger.batches.all(name)) for name in world.datasets})


def _begin_nightly_jobs(cloud: Cloud, world: World) -> bool:
    """Starts the nightly jobs for all days that have rows, even unfinished ones; whether a batch began."""
    tables = (table for dataset in world.datasets.values() if not dataset.nightly for table in dataset.tables)
    days = {day for table in tables for day in world.ledger.day_changes.of(table.name) if WHOLE < day < NEVER}
    answer = cloud.invoke("Nightly", {"dates": sorted(days)}) if days else None
    if answer and answer.error:
        raise Stuck(f"the nightly jobs cannot start: {answer.payload}")
    return bool(answer and answer.payload["batches"])


def _take_next_steps(cloud: Cloud, progress: Progress) -> None:
    states = progress.everything
    forming = [batch for batches in progress.batches.values() for batch in batches if batch.state is State.FORMING]
    if any(progress.pending.values()) or any(not batch.period for batch in forming):
        cloud.invoke("Plan", {"eager": True})
    elif forming:
        cloud.invoke("Nightly", {"jobs": []})  # starts no new period, but continues batches that are still FORMING
    elif states[State.PUBLISHED] and not any(states[state] for state in TO_BE_PUBLISHED):
        cloud.invoke("Load", {"eager": True})
