"""What stands still, keeps failing or waits for a person: the numbers that sweep tells of one look at the ledger.

Pure. They are counted anew at every look from what the ledger holds: a crash loses none of them, and 0 ends an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidemark.core.batching import PendingSegment
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_lock import needs_lock
from tidemark.core.lifecycle import AT_REST, Batch, State
from tidemark.core.loading import Load
from tidemark.core.slots import holds_slot
from tidemark.core.watermark import lag_seconds

#: Failures in a row from which people are told: two may be chance, and the third comes within minutes.
FAILING_FROM = 3
#: How long people are told of what is over, so that each new one rings.
LATELY = timedelta(hours=1)
#: How long a step may be overdue in a healthy stack. RUNNING: an hour in EMR's queue, two of running, one to spare.
STUCK_AFTER: Mapping[State, timedelta] = {
    State.FORMING: timedelta(hours=1),
    State.PLANNED: timedelta(hours=1),
    State.RUNNING: timedelta(hours=4),
    State.PUBLISHED: timedelta(hours=1),  # and what the dataset's load policy waits
    State.LOADING: timedelta(hours=2),
}
NIGHTS_WAIT = timedelta(hours=12)  # FORMING, for one of the runs that nights may take
#: What takes segments, or opens loads, is through with them long before, and known to the index.
ORPHANED_AFTER = timedelta(hours=2)


@dataclass(frozen=True)
class Taken:
    """A pending segment, and the batch that has taken it; none for one that is free."""

    segment: PendingSegment
    batch_id: str


@dataclass(frozen=True)
class Waiting:
    """A batch or a file that waits for a person."""

    since: datetime
    is_batch: bool


@dataclass(frozen=True)
class Look:
    """What one look at the ledger finds."""

    now: datetime
    datasets: Mapping[str, Dataset]
    unfinished: Sequence[Batch]  # not at rest
    segments: Sequence[Taken]  # of the declared datasets: the oldest of each
    loads: Sequence[Load]  # open ones
    waiting: Sequence[Waiting]
    blemished: Sequence[Batch]  # LOADED lately, with rejected records or files not read to their end
    strays: int = 0  # segments of datasets that are declared no more


def numbers(look: Look) -> dict[str, float]:
    """Every gauge that sweep tells, by name."""
    due, shown = overdue(look), _shown_lately(look)
    ages = [(look.now - one.since).total_seconds() for one in look.waiting]
    return {
        "LagSeconds": lag_seconds(_unfinished_since(look), look.now),
        "BatchesOverdue": len(due),
        **{f"BatchesOverdue{state.capitalize()}": _in_state(due, state) for state in State if state not in AT_REST},
        "BatchesStuck": len(stuck(look)),
        "Orphans": look.strays + len(orphaned_segments(look)) + len(orphaned_loads(look)),
        "RunsFailing": sum(batch.failures.runs >= FAILING_FROM for batch in look.unfinished),
        "LoadsFailing": sum(batch.failures.loads >= FAILING_FROM for batch in look.unfinished),
        "BatchesInQuarantine": sum(one.is_batch for one in look.waiting),
        "FilesInQuarantine": sum(not one.is_batch for one in look.waiting),
        "QuarantineAgeSeconds": max(ages, default=0),
        "QuarantinedLately": sum(age < LATELY.total_seconds() for age in ages),
        "FilesUnreadLately": sum(batch.counts.problems for batch in shown),
        "ToleranceExceededLately": sum(_is_intolerable(batch, look.datasets) for batch in shown),
    }


def overdue(look: Look) -> list[Batch]:
    """The batches whose next step is due, but for those that wait for a slot: every plan looks at these anyway."""
    due = (batch for batch in look.unfinished if batch.due_at and batch.due_at <= look.now)
    return [batch for batch in due if batch.state is not State.FORMING or batch.period or holds_slot(batch)]


def stuck(look: Look) -> list[Batch]:
    """Batches overdue for longer than any healthy wait."""
    running = {batch.dataset for batch in look.unfinished if batch.state is State.RUNNING}
    return [batch for batch in overdue(look) if _is_late(batch, look) and not _waits_for_lock(batch, look, running)]


def orphaned_segments(look: Look) -> list[Taken]:
    """Segments taken by a batch that is not under way: no planner takes them, and no batch brings their files."""
    at_work = {batch.batch_id for batch in look.unfinished}
    return [
        one
        for one in look.segments
        if one.batch_id and one.batch_id not in at_work and look.now - one.segment.oldest_at > ORPHANED_AFTER
    ]


def orphaned_loads(look: Look) -> list[Load]:
    """Open loads that no batch is in: none of their batches brings a hint."""
    waited_for = {batch.load_id for batch in look.unfinished if batch.state is State.LOADING}
    old = (load for load in look.loads if look.now - load.created_at > ORPHANED_AFTER)
    return [load for load in old if load.load_id not in waited_for]


def _unfinished_since(look: Look) -> Iterator[datetime]:
    """Since when something is under way: the landing of pending files, the birth of batches that show nothing yet.

    A batch that runs again has shown its rows before; it lags from its last move. Nightly ones keep no file waiting.
    """
    yield from (one.segment.oldest_at for one in look.segments)
    yield from (
        batch.updated_at if batch.maybe_visible else batch.created_at for batch in look.unfinished if not batch.period
    )


def _in_state(batches: Sequence[Batch], state: State) -> int:
    return sum(batch.state is state for batch in batches)


def _is_late(batch: Batch, look: Look) -> bool:
    return batch.due_at is not None and look.now - batch.due_at > _healthy_wait(batch, look.datasets[batch.dataset])


def _healthy_wait(batch: Batch, dataset: Dataset) -> timedelta:
    if batch.state is State.FORMING and batch.period:
        return NIGHTS_WAIT
    return STUCK_AFTER[batch.state] + (dataset.load.every if batch.state is State.PUBLISHED else timedelta(0))


def _waits_for_lock(batch: Batch, look: Look, running: set[str]) -> bool:
    return batch.state is State.PLANNED and batch.dataset in running and needs_lock(look.datasets[batch.dataset])


def _shown_lately(look: Look) -> list[Batch]:
    """Batches of which readers have begun to see an attempt that people may have to be told of."""
    return [*look.blemished, *(one for one in look.unfinished if one.state in (State.PUBLISHED, State.LOADING))]


def _is_intolerable(batch: Batch, datasets: Mapping[str, Dataset]) -> bool:
    dataset = datasets.get(batch.dataset)
    return dataset is not None and batch.counts.rejected > dataset.tolerance * batch.counts.read
