"""sweep: whatever is past its due time is pointed at again, and people are told what stands still.

Every event is only a hint; these are hints too. Every number is read off the ledger anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tidemark.core.lifecycle import Batch
from tidemark.core.standing import LATELY, Look, Taken, numbers, orphaned_loads, orphaned_segments, overdue, stuck
from tidemark.observability import gauge, logger
from tidemark.service.common import Efforts, unfinished_batches
from tidemark.service.nightly import last_pass
from tidemark.wiring import World

ENTRIES_MAX = 10  # per PutEvents
LOOK_MAX = 1_000  # items of a kind: beyond it, their exact number helps nobody
#: The control that holds the names of all datasets that may have something pending or under way.
DATASETS_SEEN = "DATASETS"


def sweep(world: World) -> int:
    """Send a hint for every batch past its due time, and tell every gauge. Returns the number of hints."""
    look, efforts = _look(world), Efforts()
    hints = efforts.make(_hint, world, overdue(look))
    efforts.make(_tell, world, look)
    efforts.finish()
    gauge("Sweeps", 1)
    return hints


def _look(world: World) -> Look:
    now, ledger = world.clock.now(), world.ledger
    return Look(
        now=now,
        datasets=world.datasets,
        unfinished=unfinished_batches(world),
        segments=[taken for name in _of_files(world) for taken in _segments(world, name)],
        loads=ledger.open_loads(),
        waiting=ledger.waiting(LOOK_MAX),
        blemished=ledger.blemished(now - LATELY, LOOK_MAX),
        strays=_strays(world),
    )


def _of_files(world: World) -> list[str]:
    return [name for name, dataset in world.datasets.items() if not dataset.nightly]


def _segments(world: World, dataset: str) -> list[Taken]:
    return [Taken(segment.head, segment.batch_id) for segment in world.ledger.segments(dataset, LOOK_MAX)]


def _strays(world: World) -> int:
    """How much is left of datasets that were declared at an earlier sweep; a name with nothing left is forgotten."""
    known = set(world.ledger.control(DATASETS_SEEN).get("names", ()))
    left = {name: _left_of(world, name) for name in known - set(world.datasets)}
    remembered = sorted({*world.datasets, *(name for name, count in left.items() if count)})
    if remembered != sorted(known):
        world.ledger.set_control(DATASETS_SEEN, {"names": remembered})
    for name, count in left.items():
        if count:
            logger.warning("a dataset that is not declared has files or batches", dataset=name, left=count)
    return sum(left.values())


def _left_of(world: World, dataset: str) -> int:
    return len(world.ledger.segments(dataset, LOOK_MAX)) + len(world.ledger.open_batches(dataset))


def _hint(world: World, batches: list[Batch]) -> int:
    for entries in _entries(batches):
        answer = world.events.put_events(Entries=entries)
        if answer["FailedEntryCount"]:
            logger.warning("hints refused, the next sweep sends them again", refused=answer["FailedEntryCount"])
    return len(batches)


def _entries(batches: list[Batch]) -> Iterator[list[dict[str, str]]]:
    hints = [
        {
            "Source": "tidemark",
            "DetailType": "Batch Due",
            "Detail": json.dumps(
                {
                    "batch_id": batch.batch_id,
                    "state": str(batch.state),
                    "attempt": batch.attempt,
                    "nightly": bool(batch.period),
                }
            ),
        }
        for batch in batches
    ]
    for start in range(0, len(hints), ENTRIES_MAX):
        yield hints[start : start + ENTRIES_MAX]


def _tell(world: World, look: Look) -> None:
    for name, value in numbers(look).items():
        gauge(name, value)
    night = last_pass(world)
    if night:  # a stack whose nights have never begun says nothing, and that is an alarm, too
        gauge("NightAgeSeconds", (look.now - night).total_seconds())
    _name(look)


def _name(look: Look) -> None:
    """A line in the log for each that an alarm is about, for its number alone leads nobody to it."""
    for batch in stuck(look):
        logger.warning("batch stands still", batch_id=batch.batch_id, state=str(batch.state), due_at=str(batch.due_at))
    for one in orphaned_segments(look):
        segment = one.segment
        logger.warning("files of a batch that is not under way", batch_id=one.batch_id, segment=segment.segment_id)
    for load in orphaned_loads(look):
        logger.warning("load without a batch in it", load_id=load.load_id)
