"""sweep: whatever is past its due time is pointed at again, and people are told what stands still.

Every event is only a hint; these are hints too. Every number is read off the ledger anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from tidemark.core.dataset import Dataset
from tidemark.core.lifecycle import Batch
from tidemark.core.standing import LATELY, Look, Taken, numbers, orphaned_loads, orphaned_segments, overdue, stuck
from tidemark.observability import gauge, logger
from tidemark.service.common import Efforts, known_datasets
from tidemark.service.nightly import last_pass
from tidemark.wiring import World

ENTRIES_MAX = 10  # per PutEvents
LOOK_MAX = 1_000  # items of a kind: beyond it, their exact number helps nobody
SEGMENTS_MAX = 100  # of a dataset, the oldest: a backlog of millions costs no more


def sweep(world: World) -> int:
    """Send a hint for every batch past its due time, and tell every gauge. Returns the number of hints."""
    look, efforts = _look(world), Efforts()
    hints = efforts.make(_hint, world, overdue(look))
    efforts.make(_tell, world, look)
    efforts.finish()
    gauge("Sweeps", 1)
    return hints


def _look(world: World) -> Look:
    now, ledger, known = world.clock.now(), world.ledger, known_datasets(world)
    return Look(
        now=now,
        datasets=known,
        unfinished=[batch for name in known for batch in ledger.open_batches(name)],
        segments=[taken for name in _of_files(world) for taken in _segments(world, name)],
        loads=ledger.open_loads(),
        waiting=ledger.waiting(LOOK_MAX),
        blemished=ledger.blemished(now - LATELY, LOOK_MAX),
        strays=_strays(world, known),
    )


def _of_files(world: World) -> list[str]:
    return [name for name, dataset in world.datasets.items() if not dataset.nightly]


def _segments(world: World, dataset: str) -> list[Taken]:
    return [Taken(segment.head, segment.batch_id) for segment in world.ledger.segments(dataset, limit=SEGMENTS_MAX)]


def _strays(world: World, known: Mapping[str, Dataset]) -> int:
    """How many segments are left of datasets that are declared no more: their files wait for a person.

    What is under way of these goes on, and is looked at like any other batch.
    """
    left = {
        name: sum(len(world.ledger.segments(name, background, SEGMENTS_MAX)) for background in (False, True))
        for name in set(known) - set(world.datasets)
    }
    for name, count in left.items():
        if count:
            logger.warning("a dataset that is not declared has files", dataset=name, segments=count)
    return sum(left.values())


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
