"""load: loads groups of published batches, each in one warehouse transaction. Its SQL is made in core/warehouse_sql."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from tidemark.adapters.world import World
from tidemark.core.dataset import Table
from tidemark.core.errors import Conflict, DeclarationError, IllegalMove, Terminal, Transient, Unprepared
from tidemark.core.job import DataFile, Result
from tidemark.core.lifecycle import Batch, LoadStarted, State, advance
from tidemark.core.loading import Load, due_loads, with_one_layout
from tidemark.core.naming import dataset_name, load_id, load_manifest_key
from tidemark.core.warehouse_ddl import (
    HISTORY,
    HISTORY_SHAPE,
    Privilege,
    declared_shape,
    drops_view,
    history_statements,
    privileges_query,
    relations,
    table_changes,
)
from tidemark.core.warehouse_sql import LoadBatch, LoadTable, load_statements
from tidemark.observability import count, logger
from tidemark.service.documents import declaration_of, read_result
from tidemark.service.errors import Efforts, newer_left_alone
from tidemark.service.settle import close_failed, close_unprepared, settle
from tidemark.service.transitions import announce, dataset_of, known_datasets, same_but_changes, unfinished_batches

Apply = Callable[[str, Sequence[str]], None]  # runs DDL of that name in one transaction

#: An older load without a statement was left by a crash between ledger and warehouse.
ABANDONED_AFTER = timedelta(minutes=1)
#: Until then, Redshift's event or a hint is expected to call settle.
UNSETTLED_AFTER = timedelta(minutes=10)
#: Tries to begin a load while files of its batches are overwritten.
BEGINS_MAX = 10


def load(world: World, eager: bool = False) -> int:
    """Completes loads that a crash has left without a statement, then begins every load that is due.

    `eager` does not wait for the datasets' load policy. Returns the number of loads begun.
    """
    now, efforts = world.clock.now(), Efforts()
    under_way = world.ledger.loads.open()
    for unfinished in under_way:
        age = now - unfinished.created_at
        if not unfinished.statement_id and age >= ABANDONED_AFTER:
            efforts.make(_execute, world, unfinished.load_id)
        elif unfinished.statement_id and age >= UNSETTLED_AFTER:
            # If all of its batches have moved on, no hint is sent for it.
            efforts.make(settle, world, unfinished.load_id)
    known = known_datasets(world)
    in_the_way = [unfinished for unfinished in under_way if not _is_left_open(world, unfinished)]
    groups = due_loads(_published(world, known), known, now, in_the_way, eager)
    begun = sum(efforts.make(_begin, world, group) for group in groups)
    efforts.finish()
    return begun


def _is_left_open(world: World, unfinished: Load) -> bool:
    """Returns whether the load stays open for batches of a newer release, so that no other load can wait for it."""
    return bool(world.ledger.batches.named_and_newer(batch_id for batch_id, _ in unfinished.batches)[1])


def _published(world: World, datasets: Iterable[str]) -> list[Batch]:
    unfinished = unfinished_batches(world, datasets)
    return list(world.ledger.batches.named(batch.batch_id for batch in unfinished if batch.state is State.PUBLISHED))


def _begin(world: World, group: list[Batch]) -> int:
    group = _with_readable_documents(world, group)
    group = with_one_layout(group, {batch.batch_id: declaration_of(world, batch) for batch in group})
    for _ in range(BEGINS_MAX):
        try:
            name = _write_load(world, group)
        except (Conflict, IllegalMove):
            group = _still_published(world, group)
            if not group:
                return 0  # other loaders have taken all of them
        else:
            _execute(world, name)
            return 1
    return 0


def _with_readable_documents(world: World, group: list[Batch]) -> list[Batch]:
    """Returns the batches whose job spec and result this release reads; the others wait for a newer release."""
    readable = []
    for batch in group:
        with newer_left_alone():
            declaration_of(world, batch)
            read_result(world, batch)
            readable.append(batch)
    return readable


def _write_load(world: World, group: list[Batch]) -> str:
    """Writes the load and moves its batches to LOADING, in one transaction. Returns the load's id."""
    now = world.clock.now()
    members = tuple((batch.batch_id, batch.attempt) for batch in group)
    name = load_id(members, now)
    moved = [advance(batch, LoadStarted(batch.attempt, name), now)[0] for batch in group]
    datasets = tuple(sorted({batch.dataset for batch in group}))
    world.ledger.loads.begin(Load(name, now, members, datasets), moved)
    for batch in moved:
        announce(batch)
    return name


def _still_published(world: World, group: list[Batch]) -> list[Batch]:
    """Returns the present state of those batches that differ from `group` only by changes to their files.

    So neither a file that is overwritten all the time nor a batch that has moved on prevents the load of the others.
    """
    present = {batch.batch_id: batch for batch in world.ledger.batches.named(batch.batch_id for batch in group)}
    still = (batch for batch in group if batch.batch_id in present)
    return [present[batch.batch_id] for batch in still if same_but_changes(present[batch.batch_id], batch)]


def _execute(world: World, name: str) -> None:
    """Sends the load's statements once: the load's id is their client token and name, and `_find` looks for it."""
    opened = world.ledger.loads.get(name)
    if opened is None or opened.state != "OPEN" or opened.statement_id:
        return
    try:
        statement_id = _find(world, opened) or _start(world, opened)
        world.ledger.loads.save(replace(opened, statement_id=statement_id))
        count("LoadsStarted")
    except Conflict:
        return  # another loader has sent it, under the same name
    except Transient as error:
        logger.warning("load not started, the next wake-up tries again", load_id=name, reason=str(error))
    except Unprepared as error:
        close_unprepared(world, opened, str(error))
    except (Terminal, DeclarationError) as error:
        close_failed(world, opened, str(error))


def _find(world: World, opened: Load) -> str | None:
    """Returns the id of the load's statement if one was sent before; a new load has none."""
    is_new = world.clock.now() - opened.created_at < ABANDONED_AFTER
    return None if is_new else world.warehouse.find(opened.load_id)


def _start(world: World, found: Load) -> str:
    batches = [LoadBatch(dataset_name(name), name, attempt) for name, attempt in found.batches]
    results = {batch: _result(world, batch) for batch in batches}
    tables = list(_tables(world, found.load_id, results))
    ensure_tables(world, [load.table for load in tables])
    statements = load_statements(found.load_id, batches, tables, world.settings.copy_role_arn)
    return world.warehouse.start(found.load_id, statements)


def _tables(world: World, name: str, results: dict[LoadBatch, Result]) -> Iterator[LoadTable]:
    """Yields the tables of the load's datasets by their present declaration, with the columns of the batches' files.

    All batches of a dataset have the same columns, so the declaration of the first one serves for all.
    """
    for dataset, first in {batch.dataset: batch for batch in reversed(results)}.items():
        declared = {table.physical_name: table for table in dataset_of(world, dataset).tables}
        for table in declaration_of(world, first).tables:
            manifest = _write_manifest(world, name, table, _files(dataset, table, results))
            yield LoadTable(dataset, declared.get(table.physical_name, table), manifest, table.all_columns)


def _result(world: World, batch: LoadBatch) -> Result:
    result = read_result(world, batch)
    if result is None:
        raise Terminal(f"the result of {batch.batch_id}, attempt {batch.attempt}, is missing from the lake bucket")
    return result


def _files(dataset: str, table: Table, results: dict[LoadBatch, Result]) -> list[DataFile]:
    return [
        file
        for batch, result in results.items()
        if batch.dataset == dataset
        for file in result.tables.get(table.name, ())
    ]


def _write_manifest(world: World, name: str, table: Table, files: Iterable[DataFile]) -> str | None:
    """Writes the COPY manifest of one table and returns its URI; None without rows.

    It has the exact size of each file, which COPY needs for Parquet (docs/aws-facts.md#copy-from-parquet).
    """
    entries = [
        {"url": file.uri, "mandatory": True, "meta": {"content_length": file.bytes}} for file in files if file.rows
    ]
    if not entries:
        return None
    key = load_manifest_key(name, table.physical_name)
    world.store.put(world.settings.control_bucket, key, json.dumps({"entries": entries}, indent=1))
    return f"s3://{world.settings.control_bucket}/{key}"


def ensure_tables(world: World, tables: Iterable[Table], apply: Apply | None = None) -> None:
    """Brings the warehouse's tables to their declarations, if the ledger doesn't say that they are.

    `apply` runs the DDL, by default as the caller's own database user. Raises `Unprepared` if that fails.
    """
    try:
        _ensure_all(world, tables, apply or world.warehouse.apply)
    except (Terminal, DeclarationError) as error:
        raise Unprepared(str(error)) from error


def _ensure_all(world: World, tables: Iterable[Table], apply: Apply) -> None:
    if world.ledger.warehouse_tables.columns(HISTORY) != HISTORY_SHAPE:
        apply("tidemark-history", history_statements())
        world.ledger.warehouse_tables.put_columns(HISTORY, HISTORY_SHAPE)
    for table in tables:
        for relation in relations(table):
            _ensure_relation(world, table, relation, apply)


def _ensure_relation(world: World, table: Table, relation: str, apply: Apply) -> None:
    recorded, declared = world.ledger.warehouse_tables.columns(relation), declared_shape(table, relation)
    if recorded != declared:
        for statements in table_changes(table, relation, recorded, _readers(world, table, recorded)):
            apply(f"tidemark-table-{relation}", statements)
        world.ledger.warehouse_tables.put_columns(relation, declared)


def _readers(world: World, table: Table, recorded: Mapping[str, str] | None) -> list[Privilege]:
    """Returns what readers may do with the table's view, if it has to be dropped; else nothing."""
    if not drops_view(table, recorded):
        return []
    return [Privilege(*row) for row in world.warehouse.read(privileges_query(table.name))]
