"""sweep: sends hints for batches past their due time, and writes gauges that show people what does not progress.

The hints replace events that were lost. Each sweep computes every gauge from the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.health import (
    RECENTLY,
    LedgerView,
    TakenSegment,
    gauges,
    orphaned_loads,
    orphaned_segments,
    overdue,
    stuck,
)
from tidemark.observability import gauge, gauge_of, logger
from tidemark.service.errors import Efforts
from tidemark.service.nightly import last_pass
from tidemark.service.reconcile import tracked_passes
from tidemark.service.transitions import hint, known_datasets, unfinished_batches

LOOK_MAX = 1_000  # items of one kind; beyond it, an exact number helps no one
SEGMENTS_MAX = 100  # oldest segments of one dataset, so that a backlog of millions costs no more


def sweep(world: World) -> int:
    """Sends a hint for every batch past its due time and writes every gauge. Returns the number of hints."""
    look, efforts = _look(world), Efforts()
    due = overdue(look)
    efforts.make(hint, world, due)
    efforts.make(_write_gauges, world, look)
    efforts.make(_write_pass_ages, world)
    efforts.make(_write_newer_items, world, look.datasets)
    efforts.make(_write_undeclared_batches, world, look)
    efforts.finish()
    gauge("Sweeps", 1)
    return len(due)


def _look(world: World) -> LedgerView:
    now, ledger, known = world.clock.now(), world.ledger, known_datasets(world)
    return LedgerView(
        now=now,
        datasets=known,
        unfinished=unfinished_batches(world, known),
        segments=[taken for name in _file_datasets(world) for taken in _segments(world, name)],
        loads=ledger.loads.open(),
        quarantined=ledger.quarantine.waiting(LOOK_MAX),
        blemished=ledger.batches.blemished(now - RECENTLY, LOOK_MAX),
        undeclared_segments=_undeclared_segments(world, known),
    )


def _write_newer_items(world: World, datasets: Iterable[str]) -> None:
    names = world.ledger.newer.names(datasets)
    gauge("NewerItems", len(names))
    for name in names:
        logger.warning("an item of a newer release is left alone", item=name)


def _write_undeclared_batches(world: World, look: LedgerView) -> None:
    """Writes how many batches of removed datasets are under way; they continue by the last declaration."""
    undeclared = Counter(batch.dataset for batch in look.unfinished if batch.dataset not in world.datasets)
    gauge("UndeclaredBatches", undeclared.total())
    for name, batches in undeclared.items():
        logger.warning("a dataset that is not declared has batches", dataset=name, batches=batches)


def _file_datasets(world: World) -> list[str]:
    return [name for name, dataset in world.datasets.items() if not dataset.nightly]


def _segments(world: World, dataset: str) -> list[TakenSegment]:
    return [
        TakenSegment(segment.head, segment.batch_id)
        for segment in world.ledger.segments.pending(dataset, limit=SEGMENTS_MAX)
    ]


def _undeclared_segments(world: World, known: Mapping[str, Dataset]) -> int:
    """Returns the number of pending segments of datasets that are no longer declared; their files wait for a person.

    Unfinished batches of these datasets continue, and are watched like all others.
    """
    segments = {
        name: sum(len(world.ledger.segments.pending(name, background, SEGMENTS_MAX)) for background in (False, True))
        for name in set(known) - set(world.datasets)
    }
    for name, count in segments.items():
        if count:
            logger.warning("a dataset that is not declared has files", dataset=name, segments=count)
    return sum(segments.values())


def _write_gauges(world: World, look: LedgerView) -> None:
    for name, value in gauges(look).items():
        gauge(name, value)
    night = last_pass(world)
    if night:  # without any complete pass the gauge is missing, and the alarm treats missing data as breaching
        gauge("NightAgeSeconds", (look.now - night).total_seconds())
    _log_stalled(look)


def _write_pass_ages(world: World) -> None:
    """Writes the age of reconcile's last pass, for each dataset and for the stack."""
    now, passed = world.clock.now(), tracked_passes(world)
    ages = {name: passes.age(now).total_seconds() for name, passes in passed.items()}
    for name, age in ages.items():
        gauge_of(name, "ReconcileAgeSeconds", age)
    gauge("ReconcileAgeSeconds", max(ages.values(), default=0))
    whole_ages = (passes.whole_age(now).total_seconds() for passes in passed.values())
    gauge("WholeReconcileAgeSeconds", max(whole_ages, default=0))


def _log_stalled(look: LedgerView) -> None:
    """Logs the id of each batch, segment and load that an alarm counts."""
    for batch in stuck(look):
        logger.warning("batch stands still", batch_id=batch.batch_id, state=str(batch.state), due_at=str(batch.due_at))
    for taken in orphaned_segments(look):
        segment_id = taken.segment.segment_id
        logger.warning("files of a batch that is not under way", batch_id=taken.batch_id, segment=segment_id)
    for load in orphaned_loads(look):
        logger.warning("load without a batch in it", load_id=load.load_id)
