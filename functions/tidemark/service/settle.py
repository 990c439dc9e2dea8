"""settle: checks the counts of an ended load and moves its batches to LOADED, back to PUBLISHED, or to quarantine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import islice

from tidemark.adapters.world import World
from tidemark.core.errors import Conflict, IllegalMove, Transient
from tidemark.core.failures import (
    after_load_failure,
    after_others_vanished,
    after_unprepared,
    after_vanished,
    may_pass,
)
from tidemark.core.files import split_uri
from tidemark.core.job import RESULT
from tidemark.core.lifecycle import Batch, Event, LoadRefused, Poisoned, State, failed_for_good, loaded
from tidemark.core.loading import Load, is_due, shards_of
from tidemark.core.warehouse_ddl import shard_of
from tidemark.observability import count, logger
from tidemark.service.documents import attempt_key, declaration_of, read_result  # fmt: skip
from tidemark.service.errors import newer_left_alone
from tidemark.service.transitions import Decide, hint, move, unfinished_batches

Counts = dict[tuple[str, int], dict[str, int]]


@newer_left_alone()
def settle_batch(world: World, batch_id: str) -> None:
    """Settles the load of a LOADING batch."""
    batch = world.ledger.batches.get(batch_id)
    if batch and batch.state is State.LOADING:
        settle(world, batch.load_id)


@newer_left_alone()
def settle(world: World, load_id: str) -> None:
    """Closes a load whose statement has ended, and moves its batches; an unknown load changes nothing."""
    load = world.ledger.loads.get(load_id)
    if load is None or load.state != "OPEN" or not load.statement_id:
        return
    statement = world.warehouse.statement(load.statement_id)
    if statement is None:
        _send_again(world, load)
    elif statement.state == "FINISHED":
        _close_finished(world, load, statement.last_part)
    elif statement.ended:
        close_failed(world, load, statement.error or f"the statement was {statement.state}")


def close_failed(world: World, load: Load, reason: str) -> None:
    """Closes a failed load. Its batches are loaded again; one that was refused alone goes to quarantine.

    If batches have lost files in the lake, they are to blame and begin their next attempt.
    """
    count("LoadsFailed")
    logger.warning("load failed", load_id=load.load_id, reason=reason)
    members = _members(world, load)
    lost = {} if may_pass(reason) else {batch.batch_id: file for batch in members if (file := _lost_file(world, batch))}
    for batch in members:
        _try_move(world, batch, partial(_after_failure, reason=reason, company=len(load.batches), lost=lost))
    _close(world, replace(load, state="FAILED", reason=reason[:1000]))


def close_unprepared(world: World, load: Load, reason: str) -> None:
    """Closes a load whose tables the warehouse did not take. Its batches are loaded again, whatever the reason is."""
    count("LoadsFailed")
    logger.error("the warehouse did not take a table", load_id=load.load_id, reason=reason)
    for batch in _members(world, load):
        _try_move(world, batch, partial(after_unprepared, message=reason, company=len(load.batches)))
    _close(world, replace(load, state="FAILED", reason=reason[:1000]))


def _close_finished(world: World, load: Load, last_part: str) -> None:
    counts: Counts = defaultdict(dict)
    for batch_id, attempt, table, rows in world.warehouse.rows(last_part):
        counts[(batch_id, attempt)][table] = rows
    for batch in _members(world, load):
        with newer_left_alone():
            _compare(world, batch, counts.get((batch.batch_id, batch.attempt), {}))
    _close(world, replace(load, state="FINISHED"))


def _compare(world: World, batch: Batch, counted: Mapping[str, int]) -> None:
    """Moves the batch to LOADED, or to quarantine if the warehouse counts other rows than the lake has."""
    expected = _expected(world, batch)
    if counted == expected:
        if _try_move(world, batch, loaded):
            count("BatchesLoaded")
    else:
        refused = Poisoned(batch.attempt, f"rows in the warehouse: expected {expected}, found {counted}")
        _try_move(world, batch, partial(failed_for_good, event=refused))


def _after_failure(batch: Batch, reason: str, company: int, lost: Mapping[str, str]) -> Event:
    if batch.batch_id in lost:
        event: Event = after_vanished(batch, lost[batch.batch_id])
    elif lost:
        event = after_others_vanished(batch, reason, company)
    else:
        event = after_load_failure(batch, reason, company)
    return failed_for_good(batch, event) if isinstance(event, LoadRefused) else event


def _lost_file(world: World, batch: Batch) -> str:
    """Returns a file of the batch's attempt that is missing from the lake bucket or has another size; "" for none."""
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


def _members(world: World, load: Load) -> list[Batch]:
    """Returns the load's batches that are still in it; a batch with a newer attempt is not.

    Leaves out batches of a newer release.
    """
    batches = []
    for batch_id, _ in load.batches:
        with newer_left_alone():
            batches.append(world.ledger.batches.get(batch_id))
    return [batch for batch in batches if batch and batch.state is State.LOADING and batch.load_id == load.load_id]


def _try_move(world: World, batch: Batch, decide: Decide) -> bool:
    try:
        move(world, batch, decide)
    except (Conflict, IllegalMove):
        return False  # another function has moved it at the same time
    return True


def _close(world: World, closed: Load) -> None:
    if _members(world, closed):
        raise Transient(f"load {closed.load_id} has batches that could not be moved: it will be settled again")
    # A newer release settles its own batches of this load, as long as the load is open.
    for batch_id, _ in closed.batches:
        world.ledger.batches.get(batch_id)
    try:
        world.ledger.loads.save(closed)
    except Conflict:
        return  # another settler has closed it, by the same statement
    _hint_next(world, closed)


def _hint_next(world: World, closed: Load) -> None:
    """Sends a hint for one due batch of the load's shards, so that the next load need not wait for the schedule.

    The loads of a shard run one after the other.
    """
    shards, now = shards_of(closed), world.clock.now()
    datasets = {name: dataset for name, dataset in world.datasets.items() if shard_of(name) in shards}
    waiting = (batch for batch in unfinished_batches(world, datasets) if batch.state is State.PUBLISHED)
    due = (batch for batch in waiting if is_due(batch, datasets, now))
    hint(world, list(islice(due, 1)))


def _send_again(world: World, load: Load) -> None:
    """Clears the id of a statement that the service no longer knows: `load` sends it again, which is idempotent."""
    try:
        world.ledger.loads.save(replace(load, statement_id=""))
    except Conflict:
        return
