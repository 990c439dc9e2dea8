"""Moves of batches, as all services make them: advance, save on a condition, perform the effects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import Conflict, DeclarationError, NewerRelease, Transient
from tidemark.core.lifecycle import Batch, Effect, Event, advance
from tidemark.observability import count, logger

#: Tries to save one move while changes to the batch's files are recorded at the same time.
SAVES_MAX = 20
ENTRIES_MAX = 10  # per PutEvents
QUERIES_AT_ONCE = 8

Decide = Callable[[Batch], Event]
Save = Callable[[Batch], Batch]


def move(world: World, batch: Batch, event: Event | Decide, save: Save | None = None) -> Batch:
    """Advances the batch by the event, saves it, and performs the effects. Returns the saved batch.

    If only changes to the batch's files were recorded since it was read, the move is repeated on the present batch, so
    that a key that is overwritten all the time does not block it. `event` may be a function that decides by the batch.

    Closes the race with any other move of the batch: raises `Conflict`. Raises `IllegalMove` for an event that the
    batch's state or attempt forbids. Nothing has changed after either.
    """
    decide: Decide = event if callable(event) else lambda _: event
    for _ in range(SAVES_MAX):
        moved, effects = advance(batch, decide(batch), world.clock.now())
        try:
            saved = (save or world.ledger.batches.save)(moved)
        except Conflict as lost:
            batch = _reread(world, batch, lost)
            continue
        announce(saved)
        perform(world, effects)
        return saved
    raise Transient(f"batch {batch.batch_id}: its files are overwritten faster than it can be moved")


def _reread(world: World, batch: Batch, lost: Conflict) -> Batch:
    """Returns the present batch if only changes to its files were recorded since; raises the lost race otherwise."""
    present = world.ledger.batches.get(batch.batch_id)
    if present is None or present.changes == batch.changes or not same_but_changes(present, batch):
        raise lost
    return present


def same_but_changes(batch: Batch, other: Batch) -> bool:
    """Returns whether the two differ only in the number of changes to their files."""
    return replace(batch, changes=0, version=0) == replace(other, changes=0, version=0)


def announce(batch: Batch) -> None:
    """Logs a move of the batch, in one line."""
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
    """Performs the effects of a saved move. A repetition or a crash before it does no harm."""
    for effect in effects:
        count("BatchesQuarantined")
        logger.error("batch quarantined", batch_id=effect.batch_id, reason=effect.reason)


def unfinished_batches(world: World, datasets: Iterable[str]) -> list[Batch]:
    """Returns the datasets' batches that are not at rest, from the index, which may lag."""
    by_dataset = world.map(world.ledger.batches.open, datasets, QUERIES_AT_ONCE)
    return [batch for batches in by_dataset for batch in batches]


def hint(world: World, batches: Sequence[Batch]) -> None:
    """Sends a `Batch Due` event for each batch. A lost hint costs time and no data."""
    entry = partial(_entry, world.settings.stack)
    for start in range(0, len(batches), ENTRIES_MAX):
        reply = world.events.put_events(Entries=list(map(entry, batches[start : start + ENTRIES_MAX])))
        if reply["FailedEntryCount"]:
            logger.warning("hints refused, the next sweep sends them again", refused=reply["FailedEntryCount"])


def _entry(stack: str, batch: Batch) -> dict[str, str]:
    detail = {
        "batch_id": batch.batch_id,
        "state": str(batch.state),
        "attempt": batch.attempt,
        "nightly": bool(batch.period),
    }
    return {"Source": stack, "DetailType": "Batch Due", "Detail": json.dumps(detail)}


def known_datasets(world: World) -> dict[str, Dataset]:
    """Returns every declared dataset, and every removed one that had a batch, by its last declaration.

    Unfinished batches continue after their dataset was removed.
    """
    return _retired(world) | dict(world.datasets)


def dataset_of(world: World, name: str) -> Dataset:
    """Returns a dataset by its present declaration or, if it was removed, by its last one.

    Raises `NewerRelease` if this release cannot read that one.
    """
    found = world.datasets.get(name) or _retired(world).get(name)
    if found is None:
        raise NewerRelease(f"dataset {name} is not declared, and this release cannot read its last declaration")
    return found


def _retired(world: World) -> dict[str, Dataset]:
    registered = world.ledger.declarations.all()
    found = {name: _last_declared(name, each) for name, each in registered.items() if name not in world.datasets}
    return {name: dataset for name, dataset in found.items() if dataset}


def _last_declared(name: str, declared: Mapping[str, Any]) -> Dataset | None:
    """Returns the removed dataset; None, with a warning, if this release cannot read its declaration."""
    try:
        return parse_dataset(declared)
    except DeclarationError as error:
        count("NewerSkipped")
        logger.warning("the declaration of a removed dataset cannot be read", dataset=name, reason=str(error))
        return None


def begin(world: World, batch: Batch) -> Batch:
    """Writes a new batch and assigns its segments to it.

    Closes the race between two functions that begin the batch or take a segment: the second gets `Conflict`.
    """
    world.ledger.declarations.register(batch.dataset, world.datasets[batch.dataset].declared)
    return world.ledger.batches.begin(batch)
