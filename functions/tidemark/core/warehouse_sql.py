"""The warehouse's SQL as text: tables, views, migrations, and the one transaction that is a load. Pure.

A load converges however often and however late it runs, because it decides inside its own transaction:

1. `LOCK tidemark.load_history` lets one load at a time past this point.
2. `accepted` are the load's batches for which no newer attempt is recorded; a zombie's batches are not in it.
3. Per table: COPY into a stage, delete what the table holds of the accepted batches, insert the stage's rows.
4. The history rows count what the *table* now holds per batch, not what was meant to be there.
5. The last statement returns them, so settling needs no second wake-up of the warehouse.

COPY maps Parquet columns by position (aws-facts §6); the stage is therefore declared in the contract's order, and
the table, to which columns were perhaps added later, is filled by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidemark.core.dataset import Column, Table
from tidemark.core.errors import DeclarationError

HISTORY = "tidemark.load_history"
STATEMENTS_MAX = 40  # per BatchExecuteStatement (aws-facts §5)
FRAME_STATEMENTS = 5
TABLE_STATEMENTS = 4
TABLES_MAX = (STATEMENTS_MAX - FRAME_STATEMENTS) // TABLE_STATEMENTS
VIEW = "its view"  # beside the columns' names, none of which has a space
SAFE = re.compile(r"[A-Za-z0-9._:/=+@-]+")


@dataclass(frozen=True)
class LoadTable:
    """One table of a load: whose dataset it is, and the COPY manifest of its new rows, if there are any."""

    dataset: str
    table: Table
    manifest: str | None  # s3:// URI


@dataclass(frozen=True)
class LoadBatch:
    dataset: str
    batch_id: str
    attempt: int


def load_statements(
    load_id: str, batches: Sequence[LoadBatch], tables: Sequence[LoadTable], copy_role: str
) -> list[str]:
    """The statements of one load, for one BatchExecuteStatement in TRANSACTION mode; at most 40."""
    body = [statement for table in tables for statement in _table_statements(table, copy_role)]
    return [
        f"LOCK {HISTORY}",
        _accept(batches),
        *body,
        f"DELETE FROM {HISTORY} WHERE load_id = {_text(load_id)}",
        _record(load_id, tables),
        f"SELECT batch_id, attempt, table_name, row_count FROM {HISTORY} WHERE load_id = {_text(load_id)}",
    ]


def _accept(batches: Sequence[LoadBatch]) -> str:
    listed = " UNION ALL ".join(
        f"SELECT CAST({_text(batch.dataset)} AS VARCHAR(32)) AS dataset,"
        f" CAST({_text(batch.batch_id)} AS VARCHAR(64)) AS batch_id, {batch.attempt} AS attempt"
        for batch in batches
    )
    return (
        f"CREATE TEMP TABLE accepted AS SELECT b.dataset, b.batch_id, b.attempt FROM ({listed}) AS b"
        f" WHERE NOT EXISTS (SELECT 1 FROM {HISTORY} AS h"
        " WHERE h.batch_id = b.batch_id AND h.attempt > b.attempt)"
    )


def _table_statements(load: LoadTable, copy_role: str) -> list[str]:
    table, columns = _name(load.table.physical_name), load.table.all_columns
    clear = f'DELETE FROM {table} USING accepted AS a WHERE {table}."_batch_id" = a.batch_id'
    if load.manifest is None:
        return [clear]
    stage = _name(f"stage_{load.table.physical_name}")
    names = ", ".join(_name(column.name) for column in columns)
    staged = ", ".join(f"s.{_name(column.name)}" for column in columns)
    return [
        f"CREATE TEMP TABLE {stage} ({_definitions(columns)})",
        f"COPY {stage} FROM {_text(load.manifest)} IAM_ROLE {_text(copy_role)} FORMAT AS PARQUET MANIFEST",
        clear,
        (
            f"INSERT INTO {table} ({names}) SELECT {staged} FROM {stage} AS s"
            ' JOIN accepted AS a ON s."_batch_id" = a.batch_id AND s."_attempt" = a.attempt'
        ),
    ]


def _record(load_id: str, tables: Sequence[LoadTable]) -> str:
    counts = " UNION ALL ".join(
        f"SELECT {_text(load_id)}, a.batch_id, a.attempt, {_text(load.table.physical_name)},"
        f' COUNT(t."_batch_id"), GETDATE() FROM accepted AS a'
        f' LEFT JOIN {_name(load.table.physical_name)} AS t ON t."_batch_id" = a.batch_id'
        f" WHERE a.dataset = {_text(load.dataset)} GROUP BY a.batch_id, a.attempt"
        for load in tables
    )
    return f"INSERT INTO {HISTORY} (load_id, batch_id, attempt, table_name, row_count, loaded_at) {counts}"


def history_statements() -> list[str]:
    """The warehouse's own record of loads."""
    return [
        "CREATE SCHEMA IF NOT EXISTS tidemark",
        (
            f"CREATE TABLE IF NOT EXISTS {HISTORY} (load_id VARCHAR(64) NOT NULL, batch_id VARCHAR(64) NOT NULL,"
            " attempt INTEGER NOT NULL, table_name VARCHAR(128) NOT NULL, row_count BIGINT NOT NULL,"
            " loaded_at TIMESTAMP NOT NULL) DISTSTYLE ALL SORTKEY (batch_id)"
        ),
    ]


def table_changes(table: Table, recorded: Mapping[str, str] | None) -> list[list[str]]:
    """What brings the warehouse's table (as recorded, None where it was never made) to its declaration.

    Each inner list is one transaction; one that says "already exists" was applied by somebody who died before saying
    so. Columns may be added; one that changed its type or went away raises `DeclarationError` naming both types.
    """
    name = _name(table.physical_name)
    if recorded is None:
        changes = [[f"CREATE TABLE IF NOT EXISTS {name} ({_definitions(table.all_columns)}){_layout(table)}"]]
    else:
        _check_compatible(table, recorded)
        changes = [
            [f"ALTER TABLE {name} ADD COLUMN {_name(column.name)} {column.type.redshift}"]
            for column in table.all_columns
            if column.name not in recorded
        ]
    view = _view(table) if table.kind == "additive" else []
    return changes + ([view] if view and (recorded or {}).get(VIEW) != view[-1] else [])


def declared_shape(table: Table) -> dict[str, str]:
    """Column name → Redshift type, and the view's text: what is recorded once applied."""
    view = {VIEW: _view(table)[-1]} if table.kind == "additive" else {}
    return {column.name: column.type.redshift for column in table.all_columns} | view


def _check_compatible(table: Table, recorded: Mapping[str, str]) -> None:
    declared = declared_shape(table)
    for name, known in recorded.items():
        if name != VIEW and declared.get(name) != known:
            wanted = declared.get(name, "no such column")
            where = ("tables", table.name, "columns", name)
            raise DeclarationError(f"expected {known} as in the warehouse, found {wanted}", where)


def _layout(table: Table) -> str:
    dist = f" DISTKEY ({_name(table.dist)})" if table.dist else " DISTSTYLE AUTO"
    sort = f" SORTKEY ({', '.join(map(_name, table.sort))})" if table.sort else ""
    return dist + sort


def _view(table: Table) -> list[str]:
    keys = ", ".join(_name(key) for key in table.keys)
    sums = ", ".join(f"CAST(SUM({_name(name)}) AS {_sum_type(table, name)}) AS {_name(name)}" for name in table.sums)
    return [
        f"DROP VIEW IF EXISTS {_name(table.name)}",
        f"CREATE VIEW {_name(table.name)} AS SELECT {keys}, {sums} FROM {_name(table.physical_name)} GROUP BY {keys}",
    ]


def _sum_type(table: Table, name: str) -> str:
    """Wide enough for a sum of the column: money stays decimal."""
    declared = next(column.type for column in table.columns if column.name == name)
    if declared.kind == "decimal":
        return f"DECIMAL(38,{declared.arguments[1]})"
    return "BIGINT" if declared.kind in ("int", "bigint") else declared.redshift


def _definitions(columns: Iterable[Column]) -> str:
    return ", ".join(f"{_name(column.name)} {column.type.redshift}" for column in columns)


def _name(identifier: str) -> str:
    return f'"{identifier}"'


def _text(value: str) -> str:
    """A literal; the Data API's parameters cannot stand in COPY, so values are checked instead (aws-facts §5)."""
    if not SAFE.fullmatch(value):
        raise ValueError(f"expected a name of {SAFE.pattern}, found {value!r}")
    return f"'{value}'"
