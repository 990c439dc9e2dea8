"""The gauges that sweep publishes: what is stuck, keeps failing or waits for a person. Pure.

Every sweep computes all of them from the ledger's contents alone, so no crash loses one, and a 0 ends its alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidemark.core.batching import PendingSegment
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_lock import needs_lock
from tidemark.core.error_texts import is_denied
from tidemark.core.lifecycle import AT_REST, Batch, State
from tidemark.core.loading import Load
from tidemark.core.slots import holds_slot
from tidemark.core.watermark import lag_seconds

#: Failures in a row from which a batch counts as failing: two may be chance, and the third comes within minutes.
FAILING_FROM = 3
#: How long a past event counts as recent: short enough that each new one raises its alarm again.
RECENTLY = timedelta(hours=1)
#: How long a step may be overdue in a healthy stack. RUNNING: one hour in EMR's queue, two of running, one to spare.
STUCK_AFTER: Mapping[State, timedelta] = {
    State.FORMING: timedelta(hours=1),
    State.PLANNED: timedelta(hours=1),
    State.RUNNING: timedelta(hours=4),
    State.PUBLISHED: timedelta(hours=1),  # plus the dataset's `load.every`
    State.LOADING: timedelta(hours=2),
}
#: The same for a nightly batch in FORMING, which may wait for a slot of the background.
NIGHTLY_STUCK_AFTER = timedelta(hours=12)
#: Age from which a taken segment or an open load without a batch is an orphan. A younger one may belong to a batch that
#: the ledger's index does not show yet.
ORPHANED_AFTER = timedelta(hours=2)


@dataclass(frozen=True)
class TakenSegment:
    """A pending segment, and the batch that has taken it."""

    segment: PendingSegment
    batch_id: str  # "" while the segment is free


@dataclass(frozen=True)
class QuarantinedItem:
    """A batch or a file in quarantine."""

    since: datetime
    is_batch: bool


@dataclass(frozen=True)
class LedgerView:
    """The parts of the ledger from which the gauges are computed, as one sweep reads them."""

    now: datetime
    datasets: Mapping[str, Dataset]
    unfinished: Sequence[Batch]  # not at rest
    segments: Sequence[TakenSegment]  # the oldest of each declared dataset
    loads: Sequence[Load]  # open
    quarantined: Sequence[QuarantinedItem]
    blemished: Sequence[Batch]  # LOADED recently, with rejected records or files that could not be read to their end
    undeclared_segments: int = 0  # segments of datasets that are no longer declared


def gauges(view: LedgerView) -> dict[str, float]:
    """Metric name → value, for every gauge."""
    due, shown = overdue(view), _shown_recently(view)
    ages = [(view.now - item.since).total_seconds() for item in view.quarantined]
    return {
        "LagSeconds": lag_seconds(_unfinished_since(view), view.now),
        "BatchesOverdue": len(due),
        **{f"BatchesOverdue{state.capitalize()}": _in_state(due, state) for state in State if state not in AT_REST},
        "BatchesStuck": len(stuck(view)),
        "Orphans": view.undeclared_segments + len(orphaned_segments(view)) + len(orphaned_loads(view)),
        "RunsFailing": sum(batch.failures.runs >= FAILING_FROM for batch in view.unfinished),
        "LoadsFailing": sum(batch.failures.loads >= FAILING_FROM for batch in view.unfinished),
        "BatchesDenied": sum(is_denied(batch.reason) for batch in view.unfinished),
        "BatchesInQuarantine": sum(item.is_batch for item in view.quarantined),
        "FilesInQuarantine": sum(not item.is_batch for item in view.quarantined),
        "QuarantineAgeSeconds": max(ages, default=0),
        "QuarantinedLately": sum(age < RECENTLY.total_seconds() for age in ages),
        "FilesUnreadLately": sum(batch.counts.problems for batch in shown),
        "ToleranceExceededLately": sum(_exceeds_tolerance(batch, view.datasets) for batch in shown),
    }


def overdue(view: LedgerView) -> list[Batch]:
    """The batches whose next step is due, except those that wait for a slot, which every plan considers anyway."""
    due = (batch for batch in view.unfinished if batch.due_at and batch.due_at <= view.now)
    return [batch for batch in due if batch.state is not State.FORMING or batch.period or holds_slot(batch)]


def stuck(view: LedgerView) -> list[Batch]:
    """Batches that are overdue for longer than in a healthy stack."""
    running = {batch.dataset for batch in view.unfinished if batch.state is State.RUNNING}
    return [batch for batch in overdue(view) if _is_late(batch, view) and not _waits_for_lock(batch, view, running)]


def orphaned_segments(view: LedgerView) -> list[TakenSegment]:
    """Segments taken by a batch that is at rest or does not exist: their files would never be processed."""
    unfinished = {batch.batch_id for batch in view.unfinished}
    return [
        taken
        for taken in view.segments
        if taken.batch_id and taken.batch_id not in unfinished and view.now - taken.segment.oldest_at > ORPHANED_AFTER
    ]


def orphaned_loads(view: LedgerView) -> list[Load]:
    """Open loads without a batch in LOADING: no hint would ever settle them."""
    with_batches = {batch.load_id for batch in view.unfinished if batch.state is State.LOADING}
    old = (load for load in view.loads if view.now - load.created_at > ORPHANED_AFTER)
    return [load for load in old if load.load_id not in with_batches]


def _unfinished_since(view: LedgerView) -> Iterator[datetime]:
    """From when each pending segment and unfinished batch counts as lag.

    A segment counts from the landing of its oldest file, a batch from its creation, and a batch that has shown rows
    before from its last transition. Nightly batches do not count: no file waits for them.
    """
    yield from (taken.segment.oldest_at for taken in view.segments)
    yield from (
        batch.updated_at if batch.maybe_visible else batch.created_at for batch in view.unfinished if not batch.period
    )


def _in_state(batches: Sequence[Batch], state: State) -> int:
    return sum(batch.state is state for batch in batches)


def _is_late(batch: Batch, view: LedgerView) -> bool:
    return batch.due_at is not None and view.now - batch.due_at > _healthy_wait(batch, view.datasets[batch.dataset])


def _healthy_wait(batch: Batch, dataset: Dataset) -> timedelta:
    if batch.state is State.FORMING and batch.period:
        return NIGHTLY_STUCK_AFTER
    return STUCK_AFTER[batch.state] + (dataset.load.every if batch.state is State.PUBLISHED else timedelta(0))


def _waits_for_lock(batch: Batch, view: LedgerView, running: set[str]) -> bool:
    return batch.state is State.PLANNED and batch.dataset in running and needs_lock(view.datasets[batch.dataset])


def _shown_recently(view: LedgerView) -> list[Batch]:
    """Batches with an attempt that readers have begun to see: its rejected records and unread files count."""
    published = (batch for batch in view.unfinished if batch.state in (State.PUBLISHED, State.LOADING))
    return [*view.blemished, *published]


def _exceeds_tolerance(batch: Batch, datasets: Mapping[str, Dataset]) -> bool:
    dataset = datasets.get(batch.dataset)
    return dataset is not None and batch.counts.rejected > dataset.tolerance * batch.counts.read
