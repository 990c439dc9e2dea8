"""sweep: whatever is past its due time is pointed at again, and people are told what stands still.

Every event is only a hint; these are hints too. Every number is read off the ledger anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.standing import LATELY, Look, Taken, numbers, orphaned_loads, orphaned_segments, overdue, stuck
from tidemark.observability import gauge, gauge_of, logger
from tidemark.service.errors import Efforts
from tidemark.service.nightly import last_pass
from tidemark.service.reconcile import noted_passes
from tidemark.service.transitions import hint, known_datasets, unfinished_batches

LOOK_MAX = 1_000  # items of a kind: beyond it, their exact number helps nobody
SEGMENTS_MAX = 100  # of a dataset, the oldest: a backlog of millions costs no more


def sweep(world: World) -> int:
    """Send a hint for every batch past its due time, and tell every gauge. Returns the number of hints."""
    look, efforts = _look(world), Efforts()
    due = overdue(look)
    efforts.make(hint, world, due)
    efforts.make(_tell, world, look)
    efforts.make(_tell_of_passes, world)
    efforts.finish()
    gauge("Sweeps", 1)
    return len(due)


def _look(world: World) -> Look:
    now, ledger, known = world.clock.now(), world.ledger, known_datasets(world)
    return Look(
        now=now,
        datasets=known,
        unfinished=unfinished_batches(world, known),
        segments=[taken for name in _of_files(world) for taken in _segments(world, name)],
        loads=ledger.loads.open(),
        waiting=ledger.quarantine.waiting(LOOK_MAX),
        blemished=ledger.batches.blemished(now - LATELY, LOOK_MAX),
        strays=_strays(world, known),
    )


def _of_files(world: World) -> list[str]:
    return [name for name, dataset in world.datasets.items() if not dataset.nightly]


def _segments(world: World, dataset: str) -> list[Taken]:
    return [
        Taken(segment.head, segment.batch_id) for segment in world.ledger.segments.pending(dataset, limit=SEGMENTS_MAX)
    ]


def _strays(world: World, known: Mapping[str, Dataset]) -> int:
    """How many segments are left of datasets that are declared no more: their files wait for a person.

    What is under way of these goes on, and is looked at like any other batch.
    """
    left = {
        name: sum(len(world.ledger.segments.pending(name, background, SEGMENTS_MAX)) for background in (False, True))
        for name in set(known) - set(world.datasets)
    }
    for name, count in left.items():
        if count:
            logger.warning("a dataset that is not declared has files", dataset=name, segments=count)
    return sum(left.values())


def _tell(world: World, look: Look) -> None:
    for name, value in numbers(look).items():
        gauge(name, value)
    night = last_pass(world)
    if night:  # a stack whose nights have never begun says nothing, and that is an alarm, too
        gauge("NightAgeSeconds", (look.now - night).total_seconds())
    _name(look)


def _tell_of_passes(world: World) -> None:
    """How old the comparison of bucket and ledger is, of each dataset and of the one where it is oldest."""
    now, passed = world.clock.now(), noted_passes(world)
    ages = {name: found.age(now).total_seconds() for name, found in passed.items()}
    for name, age in ages.items():
        gauge_of(name, "ReconcileAgeSeconds", age)
    gauge("ReconcileAgeSeconds", max(ages.values(), default=0))
    whole = (found.whole_age(now).total_seconds() for found in passed.values())
    gauge("WholeReconcileAgeSeconds", max(whole, default=0))


def _name(look: Look) -> None:
    """A line in the log for each that an alarm is about, for its number alone leads nobody to it."""
    for batch in stuck(look):
        logger.warning("batch stands still", batch_id=batch.batch_id, state=str(batch.state), due_at=str(batch.due_at))
    for one in orphaned_segments(look):
        segment = one.segment
        logger.warning("files of a batch that is not under way", batch_id=one.batch_id, segment=segment.segment_id)
    for load in orphaned_loads(look):
        logger.warning("load without a batch in it", load_id=load.load_id)
