"""nightly: marks of what was written → batches of nightly jobs, each with a manifest that pins what it reads.

Two steps, each repeated by the next pass if a crash comes between. *Begin*: what is due becomes FORMING, a new batch or
an old one's next attempt. *Form*: as runs become free, the latest snapshots are pinned and written down.
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
    Known,
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
from tidemark.service.errors import Efforts  # fmt: skip
from tidemark.service.transitions import announce, begin, known_datasets, move, unfinished_batches

LAST_NIGHT = "NIGHT"  # the control that remembers it


@dataclass(frozen=True)
class DueReport:
    """What is marked and known, and what is due because of it."""

    day_changes: DayChanges
    known: Known
    due: tuple[Due, ...]


def nightly(world: World, jobs: Collection[str] | None = None, dates: Collection[date] = ()) -> int:
    """Begin every period that is due and waits for no other job, then form what there are runs for.

    `jobs` and `dates` narrow down what is begun; a date counts as ended. Returns the number of batches begun.
    """
    started = world.clock.now()
    efforts = Efforts()
    begun: list[str] = []
    if jobs is None or jobs:
        seen = due_report(world, jobs, dates)
        for found in seen.due:
            if not found.waits_for and not world.ledger.controls.paused(found.job):
                efforts.make(_begin, world, found, seen.known.get((found.job, found.period)), begun)
    efforts.make(_form_waiting, world, begun)
    efforts.finish()
    if jobs is None and not dates:
        world.ledger.controls.set(LAST_NIGHT, {"started": iso(started)})
    return len(begun)


def last_pass(world: World) -> datetime | None:
    """When the last pass over all jobs began that was seen through; None where there has been none."""
    remembered = world.ledger.controls.get(LAST_NIGHT)
    return from_iso(remembered["started"]) if remembered else None


def follow(world: World, published: Collection[str]) -> int:
    """What comes after jobs that have published: their successors, and whatever waited for a run."""
    return nightly(world, jobs=successors(published, world.datasets))


def due_report(world: World, jobs: Collection[str] | None = None, dates: Collection[date] = ()) -> DueReport:
    """How the nightly jobs stand: one query for each table that they read, one look at each batch that there may be."""
    datasets, today = world.datasets, world.clock.now().date()
    day_changes = {table: world.ledger.day_changes.of(table) for table in sorted(tables_read(datasets))}
    names = {
        _batch_id(datasets[job], period): (job, period)
        for job in jobs_in_order(datasets)
        for period in periods_of(datasets[job], day_changes, today, dates)
    }
    known = {names[batch.batch_id]: batch for batch in world.ledger.batches.named(names)}
    return DueReport(day_changes, known, tuple(due(datasets, day_changes, known, today, jobs, dates)))


def form(world: World, batch_id: str) -> None:
    """Pin what a FORMING nightly batch reads, write the manifest of its attempt, and move it on, if a run is free."""
    batch = world.ledger.batches.get(batch_id)
    if batch and _is_forming(batch) and _free_runs(world, unfinished_batches(world, known_datasets(world))) > 0:
        _form(world, batch)


def read_nightly_manifest(world: World, key: str) -> NightlyManifest:
    """A manifest that the ledger names."""
    return NightlyManifest.loads(read_control(world, key))


def _begin(world: World, found: Due, seen: Batch | None, begun: list[str]) -> None:
    """Begin what was found due when its batch was at the attempt that was `seen`, and at no later one.

    The attempt closes the race of two passes: another may even have seen the period through since.
    """
    now = world.clock.now()
    batch_id = _batch_id(world.datasets[found.job], found.period)
    try:
        if seen is None:
            new = Batch(batch_id, found.job, now, now, due_at=now + PATIENCE[State.FORMING], period=found.period.name)
            announce(begin(world, new))
        else:
            # Its load may have moved it on since, which is no reason to let it be.
            move(world, world.ledger.batches.get(batch_id) or seen, Superseded(seen.attempt, found.reason))
        begun.append(batch_id)
    except (Conflict, IllegalMove):
        return  # another pass has begun it


def _form_waiting(world: World, begun: Iterable[str]) -> None:
    known = known_datasets(world)
    unfinished = unfinished_batches(world, known)
    free, efforts = _free_runs(world, unfinished), Efforts()
    # The index does not show yet what has been begun a moment ago.
    waiting = {batch.batch_id for batch in unfinished if _is_forming(batch)} | set(begun)
    order = {job: place for place, job in enumerate(jobs_in_order(known))}
    forming = filter(_is_forming, world.ledger.batches.named(waiting))
    for batch in sorted(forming, key=lambda batch: (order[batch.dataset], batch.period))[:free]:
        efforts.make(_form, world, batch)
    efforts.finish()


def _free_runs(world: World, unfinished: Iterable[Batch]) -> int:
    """Nights leave room for fresh files, and `plan` keeps a slot for those that wait."""
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
        # A crashed pass has written it already: that one stands.
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
        inputs.append(world.snapshots.pin(owner[1], read_days(read, period)))
    return NightlyManifest(batch.batch_id, batch.attempt, batch.dataset, period, tuple(inputs), batch.changes)


def _batch_id(job: Dataset, period: Period) -> str:
    return nightly_id(job.name, period.every, period.start)
