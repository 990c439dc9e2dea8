"""sweep: whatever is past its due time is pointed at again. Every event is only a hint; these are hints too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from tidemark.core.lifecycle import Batch
from tidemark.core.watermark import lag_seconds
from tidemark.observability import count, lag, logger, night_age
from tidemark.service.common import unfinished_batches
from tidemark.service.nightly import last_pass
from tidemark.wiring import World

ENTRIES_MAX = 10  # per PutEvents


def sweep(world: World) -> int:
    """Send a hint for every batch past its due time, and report lag and night. Returns the number of hints."""
    now = world.clock.now()
    unfinished = unfinished_batches(world)
    overdue = [batch for batch in unfinished if batch.due_at and batch.due_at <= now]
    for entries in _entries(overdue):
        answer = world.events.put_events(Entries=entries)
        if answer["FailedEntryCount"]:
            logger.warning("hints refused, the next sweep sends them again", refused=answer["FailedEntryCount"])
    count("BatchesOverdue", len(overdue))
    lag(lag_seconds(_unfinished_since(world, unfinished), now))
    night = last_pass(world)
    if night:  # a stack whose nights have never begun says nothing, and that is an alarm, too
        night_age((now - night).total_seconds())
    return len(overdue)


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


def _unfinished_since(world: World, unfinished: list[Batch]) -> Iterator[datetime]:
    """Since when something is under way: the landing of pending files, the birth of batches that show nothing yet.

    A batch that runs again has shown its rows before; it lags from its last move. Nightly ones keep no file waiting.
    """
    for name in (name for name, dataset in world.datasets.items() if not dataset.nightly):
        for segment in world.ledger.segments(name)[:1]:
            yield segment.head.oldest_at
    yield from (batch.updated_at if batch.exposed else batch.created_at for batch in unfinished if not batch.period)
