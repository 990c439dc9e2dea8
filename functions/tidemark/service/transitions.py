"""What every service function shares: save on a condition, then perform what follows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import Conflict, Transient
from tidemark.core.lifecycle import Batch, Effect, Event, advance
from tidemark.observability import count, logger

#: Changes that may be recorded while one move is being saved.
SAVES_MAX = 20
ENTRIES_MAX = 10  # per PutEvents
QUERIES_AT_ONCE = 8

Decide = Callable[[Batch], Event]
Save = Callable[[Batch], Batch]


def move(world: World, batch: Batch, event: Event | Decide, save: Save | None = None) -> Batch:
    """Advance, save, perform. Raises `IllegalMove` or `Conflict` with nothing changed.

    A change to the batch's files that was recorded since it was read does not stand in the way: the event, or what
    `event` decides on, is tried on the batch as it is then. Else a key that is written all the time would hold it up.
    """
    decide: Decide = event if callable(event) else lambda _: event
    for _ in range(SAVES_MAX):
        moved, effects = advance(batch, decide(batch), world.clock.now())
        try:
            saved = (save or world.ledger.batches.save)(moved)
        except Conflict as lost:
            batch = _with_changes(world, batch, lost)
            continue
        announce(saved)
        perform(world, effects)
        return saved
    raise Transient(f"batch {batch.batch_id}: files are overwritten faster than it can be moved")


def _with_changes(world: World, batch: Batch, lost: Conflict) -> Batch:
    """The batch as it is now, if nothing has happened to it but changes to its files; else the lost race is raised."""
    found = world.ledger.batches.get(batch.batch_id)
    if found is None or found.changes == batch.changes or not same_but_changes(found, batch):
        raise lost
    return found


def same_but_changes(one: Batch, other: Batch) -> bool:
    """Whether the two differ in nothing but the changes to their files."""
    return replace(one, changes=0, version=0) == replace(other, changes=0, version=0)


def announce(batch: Batch) -> None:
    """One log line per move: the batch's life can be read off them."""
    logger.info(
        "batch moved",
        batch_id=batch.batch_id,
        state=str(batch.state),
        attempt=batch.attempt,
        files=batch.files,
        run_id=batch.run_id,
        load_id=batch.load_id,
        reason=batch.reason,
    )


def perform(world: World, effects: Iterable[Effect]) -> None:
    """Do what follows from a saved move. Repeating it, or dying before it, harms nothing."""
    for effect in effects:
        count("BatchesQuarantined")
        logger.error("batch quarantined", batch_id=effect.batch_id, reason=effect.reason)


def unfinished_batches(world: World, datasets: Iterable[str]) -> list[Batch]:
    """The datasets' batches that are not at rest, as the index knows them."""
    found = world.map(world.ledger.batches.open, datasets, QUERIES_AT_ONCE)
    return [batch for batches in found for batch in batches]


def hint(world: World, batches: Sequence[Batch]) -> None:
    """Point at batches whose next step is due; losing a hint costs time, never data."""
    for start in range(0, len(batches), ENTRIES_MAX):
        answer = world.events.put_events(Entries=list(map(_entry, batches[start : start + ENTRIES_MAX])))
        if answer["FailedEntryCount"]:
            logger.warning("hints refused, the next sweep sends them again", refused=answer["FailedEntryCount"])


def _entry(batch: Batch) -> dict[str, str]:
    detail = {
        "batch_id": batch.batch_id,
        "state": str(batch.state),
        "attempt": batch.attempt,
        "nightly": bool(batch.period),
    }
    return {"Source": "tidemark", "DetailType": "Batch Due", "Detail": json.dumps(detail)}


def known_datasets(world: World) -> dict[str, Dataset]:
    """Every dataset that is declared, and those that were when a batch of theirs began.

    What is under way goes on to its end when its declaration is taken away, by the last one that there was.
    """
    return _retired(world) | dict(world.datasets)


def dataset_of(world: World, name: str) -> Dataset:
    """The dataset as it is declared, or as it was last."""
    return world.datasets.get(name) or _retired(world)[name]


def _retired(world: World) -> dict[str, Dataset]:
    registered = world.ledger.declarations.all()
    return {name: parse_dataset(declared) for name, declared in registered.items() if name not in world.datasets}


def begin(world: World, batch: Batch) -> Batch:
    """Write a new batch and mark its segments as taken; raises `Conflict` when another was faster."""
    world.ledger.declarations.register(batch.dataset, world.datasets[batch.dataset].declared)
    return world.ledger.batches.begin(batch)
