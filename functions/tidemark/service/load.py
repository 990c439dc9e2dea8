"""load: published batches → one warehouse transaction each group. What is said to Redshift is in core/warehouse_sql."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from tidemark.adapters.world import World
from tidemark.core.dataset import Table
from tidemark.core.errors import Conflict, DeclarationError, IllegalMove, Terminal, Transient
from tidemark.core.job import DataFile, Result
from tidemark.core.lifecycle import Batch, LoadStarted, State, advance
from tidemark.core.loading import Load, due_loads, of_one_layout
from tidemark.core.naming import dataset_name, load_id, load_manifest_key
from tidemark.core.warehouse_ddl import (
    HISTORY,
    HISTORY_SHAPE,
    declared_shape,
    history_statements,
    relations,
    table_changes,
)
from tidemark.core.warehouse_sql import LoadBatch, LoadTable, load_statements
from tidemark.observability import count, logger
from tidemark.service.documents import declaration_of, read_result
from tidemark.service.errors import Efforts  # fmt: skip
from tidemark.service.settle import close_failed, settle
from tidemark.service.transitions import announce, dataset_of, known_datasets, same_but_changes, unfinished_batches

#: A load without a statement that is older was left by a crash between the ledger and the warehouse.
ABANDONED_AFTER = timedelta(minutes=1)
#: Until then Redshift's event, or sweep's hint, brings settle.
UNSETTLED_AFTER = timedelta(minutes=10)
#: Files of its batches may be overwritten while a load is written down; then it is written anew.
BEGINS_MAX = 10


def load(world: World, eager: bool = False) -> int:
    """Finish loads that a crash left without a statement, then begin every load that is due.

    Returns the number of loads begun. `eager` does not wait for the datasets' load policy.
    """
    now, efforts = world.clock.now(), Efforts()
    under_way = world.ledger.open_loads()
    for unfinished in under_way:
        age = now - unfinished.created_at
        if not unfinished.statement_id and age >= ABANDONED_AFTER:
            efforts.make(_execute, world, unfinished.load_id)
        elif unfinished.statement_id and age >= UNSETTLED_AFTER:
            # Its batches may all have moved on, and then no hint speaks of it.
            efforts.make(settle, world, unfinished.load_id)
    known = known_datasets(world)
    groups = due_loads(_published(world, known), known, now, under_way, eager)
    begun = sum(efforts.make(_begin, world, group) for group in groups)
    efforts.finish()
    return begun


def _published(world: World, datasets: Iterable[str]) -> list[Batch]:
    seen = unfinished_batches(world, datasets)
    return list(world.ledger.named(batch.batch_id for batch in seen if batch.state is State.PUBLISHED))


def _begin(world: World, group: list[Batch]) -> int:
    group = of_one_layout(group, {batch.batch_id: declaration_of(world, batch) for batch in group})
    for _ in range(BEGINS_MAX):
        try:
            name = _write_load(world, group)
        except (Conflict, IllegalMove):
            group = _still_published(world, group)
            if not group:
                return 0  # another loader has them all
        else:
            _execute(world, name)
            return 1
    return 0


def _write_load(world: World, group: list[Batch]) -> str:
    """The load and its batches LOADING, all or nothing; its id."""
    now = world.clock.now()
    members = tuple((batch.batch_id, batch.attempt) for batch in group)
    name = load_id(members, now)
    moved = [advance(batch, LoadStarted(batch.attempt, name), now)[0] for batch in group]
    datasets = tuple(sorted({batch.dataset for batch in group}))
    world.ledger.begin_load(Load(name, now, members, datasets), moved)
    for batch in moved:
        announce(batch)
    return name


def _still_published(world: World, group: list[Batch]) -> list[Batch]:
    """Of the batches, as they are now, those to which nothing has happened but changes to their files.

    One file that is overwritten all the time must not keep a load from beginning, nor one batch the others.
    """
    now = {batch.batch_id: batch for batch in world.ledger.named(batch.batch_id for batch in group)}
    return [now[seen.batch_id] for seen in group if same_but_changes(now[seen.batch_id], seen)]


def _execute(world: World, name: str) -> None:
    """Send the load's statements, once: its name is token and statement name, and is looked for first if in doubt."""
    found = world.ledger.load(name)
    if found is None or found.state != "OPEN" or found.statement_id:
        return
    try:
        statement_id = _find(world, found) or _start(world, found)
        world.ledger.save_load(replace(found, statement_id=statement_id))
        count("LoadsStarted")
    except Conflict:
        return  # sent by another loader, under the same name
    except Transient as error:
        logger.warning("load not started, the next wake-up tries again", load_id=name, reason=str(error))
    except (Terminal, DeclarationError) as error:
        close_failed(world, found, str(error))


def _find(world: World, found: Load) -> str | None:
    """A statement that was sent before, if enough time has passed that one may have been."""
    young = world.clock.now() - found.created_at < ABANDONED_AFTER
    return None if young else world.warehouse.find(found.load_id)


def _start(world: World, found: Load) -> str:
    batches = [LoadBatch(dataset_name(name), name, attempt) for name, attempt in found.batches]
    results = {batch: _result(world, batch) for batch in batches}
    tables = list(_tables(world, found.load_id, results))
    ensure_tables(world, [load.table for load in tables])
    statements = load_statements(found.load_id, batches, tables, world.settings.copy_role_arn)
    return world.warehouse.start(found.load_id, statements)


def _tables(world: World, name: str, results: dict[LoadBatch, Result]) -> Iterator[LoadTable]:
    """The tables of the load's datasets as they are declared now, with the columns that the batches' files have.

    The batches of a dataset are of one layout: the first one's declaration is the others'.
    """
    for dataset, first in {batch.dataset: batch for batch in reversed(results)}.items():
        present = {table.physical_name: table for table in dataset_of(world, dataset).tables}
        for table in declaration_of(world, first).tables:
            manifest = _write_manifest(world, name, table, _files(dataset, table, results))
            yield LoadTable(dataset, present.get(table.physical_name, table), manifest, table.all_columns)


def _result(world: World, batch: LoadBatch) -> Result:
    result = read_result(world, batch)
    if result is None:
        raise Terminal(f"the result of {batch.batch_id}, attempt {batch.attempt}, is gone from the lake bucket")
    return result


def _files(dataset: str, table: Table, results: dict[LoadBatch, Result]) -> list[DataFile]:
    return [
        file
        for batch, result in results.items()
        if batch.dataset == dataset
        for file in result.tables.get(table.name, ())
    ]


def _write_manifest(world: World, name: str, table: Table, files: Iterable[DataFile]) -> str | None:
    """The COPY manifest of one table, with each file's exact size, which COPY demands of Parquet (aws-facts §6)."""
    entries = [
        {"url": file.uri, "mandatory": True, "meta": {"content_length": file.bytes}} for file in files if file.rows
    ]
    if not entries:
        return None
    key = load_manifest_key(name, table.physical_name)
    world.store.put(world.settings.control_bucket, key, json.dumps({"entries": entries}, indent=1))
    return f"s3://{world.settings.control_bucket}/{key}"


def ensure_tables(world: World, tables: Iterable[Table]) -> None:
    """Bring the warehouse's tables to their declarations, if the ledger doesn't say that they are."""
    if world.ledger.warehouse_columns(HISTORY) != HISTORY_SHAPE:
        world.warehouse.apply("tidemark-history", history_statements())
        world.ledger.put_warehouse_columns(HISTORY, HISTORY_SHAPE)
    for table in tables:
        for relation in relations(table):
            _ensure_relation(world, table, relation)


def _ensure_relation(world: World, table: Table, relation: str) -> None:
    recorded, declared = world.ledger.warehouse_columns(relation), declared_shape(table, relation)
    if recorded != declared:
        for statements in table_changes(table, relation, recorded):
            world.warehouse.apply(f"tidemark-table-{relation}", statements)
        world.ledger.put_warehouse_columns(relation, declared)
