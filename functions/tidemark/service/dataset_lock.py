"""The dataset lock: which batch of a deduplicating dataset may run next, and which keys it must not repeat."""

from __future__ import annotations

from tidemark.adapters.world import World
from tidemark.core.dataset_lock import LockHolder, in_order_to_run, is_ready, is_released, window
from tidemark.core.errors import Conflict
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import Batch
from tidemark.service.transitions import dataset_of


def next_to_run(world: World, asking: Batch) -> Batch | None:
    """Takes the dataset's lock for the batch that may run next, and returns it; None while another holds the lock.

    The oldest waiting batch is next, even if `asking` is another: a batch that has released the lock asks for the
    batches after it.
    """
    now, ledger = world.clock.now(), world.ledger
    holder = ledger.locks.holder(asking.dataset)
    if holder == LockHolder(asking.batch_id, asking.attempt) and is_ready(asking, now):
        return asking  # its submitter has died, or is still at work and will start the same run
    if holder and not is_released(holder, ledger.batches.get(holder.batch_id)):
        return None
    # The index may lag: it may lack the asking batch, and may list batches that are no longer ready.
    others = [batch for batch in ledger.batches.open(asking.dataset) if batch.batch_id != asking.batch_id]
    for candidate in in_order_to_run([*others, asking], now):
        batch = asking if candidate is asking else ledger.batches.get(candidate.batch_id)
        if batch and is_ready(batch, now):
            return _take_lock(world, batch, holder)
    return None


def _take_lock(world: World, batch: Batch, after: LockHolder | None) -> Batch | None:
    try:
        world.ledger.locks.take(batch.dataset, LockHolder(batch.batch_id, batch.attempt), after)
    except Conflict:
        return None  # another submitter was faster, perhaps with another batch
    return batch


def seen_keys(world: World, batch: Batch) -> list[DataFile]:
    """Returns the key files of the other batches within the batch's deduplication window.

    The list stays complete until the batch is published: no other batch is published while this one holds the lock.
    """
    first, last = window(dataset_of(world, batch.dataset), batch)
    return world.ledger.seen_keys.shown(batch.dataset, first, last, besides=batch.batch_id)
