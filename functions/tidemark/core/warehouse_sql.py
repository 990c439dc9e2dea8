"""Writes the SQL of a load, which is one transaction. Pure.

A load is idempotent: repeated at any time, it ends in the same rows, because it decides inside its own transaction.

1. `LOCK tidemark.load_history_<shard>` lets only one load of the shard pass at a time. All datasets of a load belong to
   that shard, so no other load touches their tables.
2. `_accepted` has the load's batches for which no newer attempt is recorded. This fences off a zombie's batches.
3. For each table: COPY into a stage, delete the table's rows of the accepted batches, insert the stage's rows. A table
   of kind latest then gets the latest stored row of each key whose latest row may have changed.
4. The history rows count what the *table* now has per batch, not what it was expected to have.
5. The last statement returns these counts, so settling does not wake the warehouse again.

A temporary table hides a permanent one of the same name, and so does an alias. So all names that a load defines begin
with `_`, which no declared name does.

COPY maps Parquet columns by position (docs/aws-facts.md#copy-from-parquet), so the stage is declared in the order of
the files. The table may have gained columns since, so it is filled by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from tidemark.core.dataset import Column, Table
from tidemark.core.errors import Terminal
from tidemark.core.warehouse_ddl import definitions, history_of, quoted, shard_of

ACCEPTED = "_accepted"
SAFE = re.compile(r"[A-Za-z0-9._:/=+@-]+")


@dataclass(frozen=True)
class LoadTable:
    """A table of a load."""

    dataset: str
    table: Table
    manifest: Optional[str]  # s3:// URI of the COPY manifest; None if there are no new rows
    staged: tuple[Column, ...] = ()  # columns of the files, if they were written by an older declaration of the table

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the files, in their order."""
        return self.staged or self.table.all_columns

    @property
    def stage(self) -> str:
        """Quoted name of the temporary table into which COPY writes."""
        return quoted(f"_stage_{self.table.physical_name}")

    @property
    def touched(self) -> str:
        """Quoted name of the temporary table with the keys whose latest row may change."""
        return quoted(f"_touched_{self.table.name}")


@dataclass(frozen=True)
class LoadBatch:
    dataset: str
    batch_id: str
    attempt: int


def load_statements(
    load_id: str, batches: Sequence[LoadBatch], tables: Sequence[LoadTable], copy_role: str
) -> list[str]:
    """The statements of one load, for one BatchExecuteStatement, which runs them as one transaction.

    Raises `Terminal` for batches of several shards: one lock does not protect them from other loads.
    """
    history = _history(batches)
    body = [statement for table in tables for statement in _table_statements(table, copy_role)]
    return [
        f"LOCK {history}",
        _accept(batches, history),
        *body,
        f"DELETE FROM {history} WHERE load_id = {literal(load_id)}",
        _record(load_id, tables, history),
        f"SELECT batch_id, attempt, table_name, row_count FROM {history} WHERE load_id = {literal(load_id)}",
    ]


def _history(batches: Sequence[LoadBatch]) -> str:
    shards = sorted({shard_of(batch.dataset) for batch in batches})
    if len(shards) != 1:
        raise Terminal(f"expected batches of one shard in a load, found {', '.join(shards)}")
    return history_of(shards[0])


def _accept(batches: Sequence[LoadBatch], history: str) -> str:
    listed = " UNION ALL ".join(
        f"SELECT CAST({literal(batch.dataset)} AS VARCHAR(32)) AS dataset,"
        f" CAST({literal(batch.batch_id)} AS VARCHAR(64)) AS batch_id, {batch.attempt} AS attempt"
        for batch in batches
    )
    return (
        f"CREATE TEMP TABLE {ACCEPTED} AS SELECT b.dataset, b.batch_id, b.attempt FROM ({listed}) AS b"
        f" WHERE NOT EXISTS (SELECT 1 FROM {history} AS h"
        " WHERE h.batch_id = b.batch_id AND h.attempt > b.attempt)"
    )


def _table_statements(load: LoadTable, copy_role: str) -> list[str]:
    table = quoted(load.table.physical_name)
    touch, show = (_touch(load), _show(load)) if load.table.kind == "latest" else ([], [])
    clear = f'DELETE FROM {table} USING {ACCEPTED} AS _a WHERE {table}."_batch_id" = _a.batch_id'
    if load.manifest is None:
        return [*touch, clear, *show]
    insert = f"INSERT INTO {table} ({column_names(load.columns)})"
    return [
        f"CREATE TEMP TABLE {load.stage} ({definitions(load.columns)})",
        f"COPY {load.stage} FROM {literal(load.manifest)} IAM_ROLE {literal(copy_role)} FORMAT AS PARQUET MANIFEST",
        *touch,
        clear,
        f"{insert} SELECT {column_names(load.columns, '_s')} FROM {_staged(load)}",
        *show,
    ]


def _staged(load: LoadTable) -> str:
    """The stage's rows of accepted batches, as `_s`."""
    return f'{load.stage} AS _s JOIN {ACCEPTED} AS _a ON _s."_batch_id" = _a.batch_id AND _s."_attempt" = _a.attempt'


def _touch(load: LoadTable) -> list[str]:
    """Collects the keys whose latest row may change: those of accepted batches' shown rows, and those of new rows."""
    shown, key = quoted(load.table.name), quoted(load.table.key or "")
    old_keys = f'SELECT _t.{key} FROM {shown} AS _t JOIN {ACCEPTED} AS _a ON _t."_batch_id" = _a.batch_id'
    new_keys = f" UNION SELECT _s.{key} FROM {_staged(load)}" if load.manifest else ""
    return [f"CREATE TEMP TABLE {load.touched} AS {old_keys}{new_keys}"]


def _show(load: LoadTable) -> list[str]:
    """Replaces each touched key's row by its latest stored row; rows with a null key join nothing and are not shown."""
    shown, key = quoted(load.table.name), quoted(load.table.key or "")
    return [
        f"DELETE FROM {shown} USING {load.touched} AS _k WHERE {shown}.{key} = _k.{key}",
        latest_of_each(load.table, f" JOIN {load.touched} AS _k ON _t.{key} = _k.{key}"),
    ]


def latest_of_each(table: Table, among: str = "") -> str:
    """Inserts the latest stored row of each key that is not null; `among` limits the keys, as a join with `_t`."""
    key, names = quoted(table.key or ""), column_names(table.all_columns)
    latest_first = ", ".join(f"_t.{quoted(name)} DESC NULLS LAST" for name in table.latest_first)
    return (
        f"INSERT INTO {quoted(table.name)} ({names}) SELECT {names} FROM (SELECT _t.*,"
        f' ROW_NUMBER() OVER (PARTITION BY _t.{key} ORDER BY {latest_first}) AS "_rank"'
        f" FROM {quoted(table.physical_name)} AS _t{among or f' WHERE _t.{key} IS NOT NULL'})"
        " AS _ranked"
        ' WHERE "_rank" = 1'
    )


def _record(load_id: str, tables: Sequence[LoadTable], history: str) -> str:
    counts = " UNION ALL ".join(
        f"SELECT {literal(load_id)}, _a.batch_id, _a.attempt, {literal(load.table.physical_name)},"
        f' COUNT(_t."_batch_id"), GETDATE() FROM {ACCEPTED} AS _a'
        f' LEFT JOIN {quoted(load.table.physical_name)} AS _t ON _t."_batch_id" = _a.batch_id'
        f" WHERE _a.dataset = {literal(load.dataset)} GROUP BY _a.batch_id, _a.attempt"
        for load in tables
    )
    return f"INSERT INTO {history} (load_id, batch_id, attempt, table_name, row_count, loaded_at) {counts}"


def column_names(columns: Iterable[Column], alias: str = "") -> str:
    """The quoted names, with commas between them."""
    dot = f"{alias}." if alias else ""
    return ", ".join(f"{dot}{quoted(column.name)}" for column in columns)


def literal(value: str) -> str:
    """A checked literal: COPY takes no parameters of the Data API (docs/aws-facts.md#redshift-data-api)."""
    if not SAFE.fullmatch(value):
        raise ValueError(f"expected a name of {SAFE.pattern}, found {value!r}")
    return f"'{value}'"
