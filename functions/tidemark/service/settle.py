"""settle: an ended warehouse transaction → batches at rest, if what the tables hold is what was published."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import islice

from tidemark.adapters.world import World
from tidemark.core.errors import Conflict, IllegalMove, Transient
from tidemark.core.failures import after_load_failure, after_vanished, beside_vanished, may_pass
from tidemark.core.files import split_uri
from tidemark.core.job import RESULT
from tidemark.core.lifecycle import Batch, Event, LoadRefused, Poisoned, State, failed_for_good, loaded
from tidemark.core.loading import Load, is_due, shards_of
from tidemark.core.warehouse_ddl import shard_of
from tidemark.observability import count, logger
from tidemark.service.documents import attempt_key, declaration_of, read_result  # fmt: skip
from tidemark.service.transitions import Decide, hint, move, unfinished_batches

Counts = dict[tuple[str, int], dict[str, int]]


def settle_batch(world: World, batch_id: str) -> None:
    """Settle the load that a LOADING batch is in."""
    batch = world.ledger.batches.get(batch_id)
    if batch and batch.state is State.LOADING:
        settle(world, batch.load_id)


def settle(world: World, load_id: str) -> None:
    """Close a load whose statement has ended, and move its batches; one that is not ours changes nothing."""
    found = world.ledger.loads.get(load_id)
    if found is None or found.state != "OPEN" or not found.statement_id:
        return
    statement = world.warehouse.statement(found.statement_id)
    if statement is None:
        _send_again(world, found)
    elif statement.state == "FINISHED":
        _close_finished(world, found, statement.last_part)
    elif statement.ended:
        close_failed(world, found, statement.error or f"the statement was {statement.state}")


def close_failed(world: World, found: Load, reason: str) -> None:
    """Every batch of the load goes back to be loaded again, or, if it was alone and refused, to a person.

    Batches whose files are not in the lake any more are to blame before all others: these begin their next attempt.
    """
    count("LoadsFailed")
    logger.warning("load failed", load_id=found.load_id, reason=reason)
    members = _members(world, found)
    gone = {} if may_pass(reason) else {batch.batch_id: file for batch in members if (file := _gone(world, batch))}
    for batch in members:
        _try_move(world, batch, partial(_failed, reason=reason, company=len(found.batches), gone=gone))
    _close(world, replace(found, state="FAILED", reason=reason[:1000]))


def _close_finished(world: World, found: Load, last_part: str) -> None:
    counts: Counts = defaultdict(dict)
    for batch_id, attempt, table, rows in world.warehouse.rows(last_part):
        counts[(batch_id, attempt)][table] = rows
    for batch in _members(world, found):
        expected = _expected(world, batch)
        counted = counts.get((batch.batch_id, batch.attempt), {})
        if counted == expected:
            if _try_move(world, batch, loaded):
                count("BatchesLoaded")
        else:
            refused = Poisoned(batch.attempt, f"rows in the warehouse: expected {expected}, found {counted}")
            _try_move(world, batch, partial(failed_for_good, event=refused))
    _close(world, replace(found, state="FINISHED"))


def _failed(batch: Batch, reason: str, company: int, gone: Mapping[str, str]) -> Event:
    if batch.batch_id in gone:
        event: Event = after_vanished(batch, gone[batch.batch_id])
    elif gone:
        event = beside_vanished(batch, reason, company)
    else:
        event = after_load_failure(batch, reason, company)
    return failed_for_good(batch, event) if isinstance(event, LoadRefused) else event


def _gone(world: World, batch: Batch) -> str:
    """A file that the batch's attempt has written and the lake bucket does not hold as it was; "" without one."""
    bucket = world.settings.lake_bucket
    result = read_result(world, batch)
    if result is None:
        return f"s3://{bucket}/{attempt_key(batch, RESULT)}"
    sizes = world.store.sizes(bucket, attempt_key(batch, "tables/"))
    written = (file for files in result.tables.values() for file in files if file.rows)
    return next((file.uri for file in written if sizes.get(split_uri(file.uri)[1]) != file.bytes), "")


def _expected(world: World, batch: Batch) -> dict[str, int]:
    tables = declaration_of(world, batch).tables
    return {table.physical_name: batch.counts.rows.get(table.name, 0) for table in tables}


def _members(world: World, found: Load) -> list[Batch]:
    """The load's batches that are still in it; one with a newer attempt is no longer."""
    listed = [world.ledger.batches.get(batch_id) for batch_id, _ in found.batches]
    return [batch for batch in listed if batch and batch.state is State.LOADING and batch.load_id == found.load_id]


def _try_move(world: World, batch: Batch, decide: Decide) -> bool:
    try:
        move(world, batch, decide)
    except (Conflict, IllegalMove):
        return False  # somebody else has moved it in this very moment
    return True


def _close(world: World, closed: Load) -> None:
    if _members(world, closed):
        raise Transient(f"load {closed.load_id} has batches that could not be moved on: it is settled again")
    try:
        world.ledger.loads.save(closed)
    except Conflict:
        return  # closed by another settler, who saw the same statement
    _hint_next(world, closed)


def _hint_next(world: World, closed: Load) -> None:
    """Loads of a shard go one after the other: what is due when one ends does not wait for load's schedule."""
    shards, now = shards_of(closed), world.clock.now()
    datasets = {name: dataset for name, dataset in world.datasets.items() if shard_of(name) in shards}
    waiting = (batch for batch in unfinished_batches(world, datasets) if batch.state is State.PUBLISHED)
    due = (batch for batch in waiting if is_due(batch, datasets, now))
    hint(world, list(islice(due, 1)))


def _send_again(world: World, found: Load) -> None:
    """The service has forgotten the statement: the load is sent again, for repeating it converges."""
    try:
        world.ledger.loads.save(replace(found, statement_id=""))
    except Conflict:
        return
