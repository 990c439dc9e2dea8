"""nightly: turns day changes into batches of nightly jobs, each with a manifest of the snapshots that it reads.

A pass has two steps, and the next pass repeats them after a crash. *Begin*: a due period becomes FORMING, as a new
batch or as the next attempt of its batch. *Form*: when a run is free, a manifest of the current snapshots is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from tidemark.adapters.world import World
from tidemark.clock import from_iso, iso
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_checks import table_owner
from tidemark.core.due_periods import (
    DayChanges,
    Due,
    PeriodBatches,
    due,
    jobs_in_order,
    periods_of,
    read_days,
    successors,
    tables_read,
)
from tidemark.core.errors import Conflict, IllegalMove
from tidemark.core.lifecycle import PATIENCE, Batch, Formed, State, Superseded
from tidemark.core.manifest import NightlyManifest
from tidemark.core.naming import nightly_id
from tidemark.core.periods import Period
from tidemark.core.slots import background_max, holds_slot, is_background
from tidemark.observability import count
from tidemark.service.documents import attempt_key, read_control
from tidemark.service.errors import Efforts, newer_left_alone
from tidemark.service.transitions import announce, begin, known_datasets, move, unfinished_batches

LAST_NIGHT = "NIGHT"  # the control with the start of the last complete pass


@dataclass(frozen=True)
class DueReport:
    """The day changes, the known batches, and the periods that are due because of them."""

    day_changes: DayChanges
    known: PeriodBatches
    due: tuple[Due, ...]


def nightly(world: World, jobs: Collection[str] | None = None, dates: Collection[date] = ()) -> int:
    """Begins every period that is due and waits for no other job, then forms as many batches as there are free runs.

    `jobs` and `dates` limit which periods begin; the period of a given date counts as ended. Returns the number of
    batches begun.
    """
    started = world.clock.now()
    efforts = Efforts()
    begun: list[str] = []
    if jobs is None or jobs:
        report = due_report(world, jobs, dates)
        for due_period in report.due:
            if not due_period.waits_for and not world.ledger.controls.paused(due_period.job):
                seen = report.known.get((due_period.job, due_period.period))
                efforts.make(_begin, world, due_period, seen, begun)
    efforts.make(_form_waiting, world, begun)
    efforts.finish()
    if jobs is None and not dates:
        world.ledger.controls.set(LAST_NIGHT, {"started": iso(started)})
    return len(begun)


def last_pass(world: World) -> datetime | None:
    """Returns when the last complete pass over all jobs began; None if there has been none."""
    recorded = world.ledger.controls.get(LAST_NIGHT)
    return from_iso(recorded["started"]) if recorded else None


def follow(world: World, published: Collection[str]) -> int:
    """Begins the successors of jobs that have published, and forms batches that wait for a run.

    Returns the number of batches begun.
    """
    return nightly(world, jobs=successors(published, world.datasets))


def due_report(world: World, jobs: Collection[str] | None = None, dates: Collection[date] = ()) -> DueReport:
    """Returns which periods are due; makes one query for each table that jobs read, and reads each possible batch."""
    datasets, today = world.datasets, world.clock.now().date()
    day_changes = {table: world.ledger.day_changes.of(table) for table in sorted(tables_read(datasets))}
    periods = {
        _batch_id(datasets[job], period): (job, period)
        for job in jobs_in_order(datasets)
        for period in periods_of(datasets[job], day_changes, today, dates)
    }
    batches, newer = world.ledger.batches.named_and_newer(periods)
    batches += [_under_way(world, batch_id, *periods[batch_id]) for batch_id in newer]
    known = {periods[batch.batch_id]: batch for batch in batches}
    return DueReport(day_changes, known, tuple(due(datasets, day_changes, known, today, jobs, dates)))


def _under_way(world: World, batch_id: str, job: str, period: Period) -> Batch:
    """Returns what stands for a batch of a newer release: it counts as under way, and other jobs wait for it."""
    now = world.clock.now()
    return Batch(batch_id, job, now, now, due_at=now, period=period.name)


@newer_left_alone()
def form(world: World, batch_id: str) -> None:
    """Writes the manifest of a FORMING nightly batch and moves it to PLANNED, if a run is free."""
    batch = world.ledger.batches.get(batch_id)
    if batch and _is_forming(batch) and _free_runs(world, unfinished_batches(world, known_datasets(world))) > 0:
        _form(world, batch)


def read_nightly_manifest(world: World, key: str) -> NightlyManifest:
    """Returns a nightly manifest that the ledger names."""
    return NightlyManifest.loads(read_control(world, key))


def _begin(world: World, due_period: Due, seen: Batch | None, begun: list[str]) -> None:
    """Begins a due period, unless its batch has a later attempt than the one that was `seen`.

    The attempt's number closes the race between two passes, even if the other one has completed the period meanwhile.
    """
    now = world.clock.now()
    batch_id = _batch_id(world.datasets[due_period.job], due_period.period)
    try:
        if seen is None:
            due_at, period = now + PATIENCE[State.FORMING], due_period.period.name
            announce(begin(world, Batch(batch_id, due_period.job, now, now, due_at=due_at, period=period)))
        else:
            # Read again: the batch's load may have moved it meanwhile, and its period is still due.
            move(world, world.ledger.batches.get(batch_id) or seen, Superseded(seen.attempt, due_period.reason))
        begun.append(batch_id)
    except (Conflict, IllegalMove):
        return  # another pass has begun it


def _form_waiting(world: World, begun: Iterable[str]) -> None:
    known = known_datasets(world)
    unfinished = unfinished_batches(world, known)
    free, efforts = _free_runs(world, unfinished), Efforts()
    # The index may lag and lack the batches that this pass has begun.
    waiting = {batch.batch_id for batch in unfinished if _is_forming(batch)} | set(begun)
    order = {job: place for place, job in enumerate(jobs_in_order(known))}
    forming = filter(_is_forming, world.ledger.batches.named(waiting))
    for batch in sorted(forming, key=lambda batch: (order[batch.dataset], batch.period))[:free]:
        efforts.make(_form, world, batch)
    efforts.finish()


def _free_runs(world: World, unfinished: Iterable[Batch]) -> int:
    """Returns how many nightly batches may start: free slots, within the share of background batches."""
    held = [batch for batch in unfinished if holds_slot(batch)]
    background = sum(map(is_background, held))
    most = world.settings.runs_at_once
    return max(0, min(background_max(most) - background, most - len(held)))


def _is_forming(batch: Batch) -> bool:
    return bool(batch.period) and batch.state is State.FORMING


def _form(world: World, batch: Batch) -> None:
    manifest = _manifest(world, batch)
    key = attempt_key(batch, "manifest.json")
    if not world.store.put_once(world.settings.control_bucket, key, manifest.dumps()):
        # Another pass, perhaps a crashed one, has written it: the first manifest stays.
        manifest = read_nightly_manifest(world, key)
    formed = Formed(
        batch.attempt,
        key,
        manifest.total_files,
        manifest.total_bytes,
        inputs=manifest.sequences,
        changes=manifest.changes,
    )
    try:
        move(world, batch, formed)
        count("BatchesPlanned")
    except (Conflict, IllegalMove):
        return  # another pass has formed it


def _manifest(world: World, batch: Batch) -> NightlyManifest:
    known = known_datasets(world)
    job = known[batch.dataset]
    assert job.nightly
    period = Period.named(job.nightly.every, batch.period)
    inputs = []
    for read in job.nightly.reads:
        owner = table_owner(known, read.table)
        assert owner, "declarations are checked when they are read"
        inputs.append(world.snapshots.current(owner[1], read_days(read, period)))
    return NightlyManifest(batch.batch_id, batch.attempt, batch.dataset, period, tuple(inputs), batch.changes)


def _batch_id(job: Dataset, period: Period) -> str:
    return nightly_id(job.name, period.every, period.start)
