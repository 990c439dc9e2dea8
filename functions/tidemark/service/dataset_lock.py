"""Who may run next in a dataset that remembers keys, and which keys it is told."""

from __future__ import annotations

from tidemark.adapters.world import World
from tidemark.core.dataset_lock import LockHolder, in_order_to_run, is_ready, is_released, window
from tidemark.core.errors import Conflict
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import Batch
from tidemark.service.transitions import dataset_of


def next_to_run(world: World, asking: Batch) -> Batch | None:
    """The batch of the asking one's dataset that may be started now, and has the turn; None while another has it.

    Whoever asks, the oldest that waits is next: a batch that has been published asks for those behind it.
    """
    now, ledger = world.clock.now(), world.ledger
    held = ledger.locks.holder(asking.dataset)
    if held == LockHolder(asking.batch_id, asking.attempt) and is_ready(asking, now):
        return asking  # whoever began to start it has died, or is about to be the faster one
    if held and not is_released(held, ledger.batches.get(held.batch_id)):
        return None
    # The index may not know the asking batch yet, and may list what has moved on.
    listed = [one for one in ledger.batches.open(asking.dataset) if one.batch_id != asking.batch_id]
    for found in in_order_to_run([*listed, asking], now):
        batch = asking if found is asking else ledger.batches.get(found.batch_id)
        if batch and is_ready(batch, now):
            return _taken(world, batch, held)
    return None


def _taken(world: World, batch: Batch, held: LockHolder | None) -> Batch | None:
    try:
        world.ledger.locks.take(batch.dataset, LockHolder(batch.batch_id, batch.attempt), held)
    except Conflict:
        return None  # another submitter was faster, perhaps with another batch
    return batch


def seen_keys(world: World, batch: Batch) -> list[DataFile]:
    """The files of the keys that other batches show, as far as the batch is to know them.

    Nobody else is published while the batch has the turn, so the list stays right until the batch is published.
    """
    first, last = window(dataset_of(world, batch.dataset), batch)
    return world.ledger.seen_keys.shown(batch.dataset, first, last, besides=batch.batch_id)
