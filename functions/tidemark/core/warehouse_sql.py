"""The one transaction that is a load, as SQL text. Pure.

A load converges however often and however late it runs, because it decides inside its own transaction:

1. `LOCK tidemark.load_history_<shard>` lets one load of the shard at a time past this point; a load's datasets are all
   of one shard, and no other load touches their tables.
2. `_accepted` are the load's batches for which no newer attempt is recorded; a zombie's batches are not in it.
3. Per table: COPY into a stage, delete what the table holds of the accepted batches, insert the stage's rows. A table
   of kind latest then shows, of each key that came or may have gone, the latest row that is stored.
4. The history rows count what the *table* now holds per batch, not what was meant to be there.
5. The last statement returns them, so settling needs no second wake-up of the warehouse.

A temporary table hides the permanent one of its name, and an alias the table that it stands beside. So all names that
a load brings along begin with `_`, as no declared name does.

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
    """One table of a load: whose dataset it is, and the COPY manifest of its new rows, if there are any.

    `staged` are the columns of these rows' files, where they were written under an older declaration of the table.
    """

    dataset: str
    table: Table
    manifest: Optional[str]  # s3:// URI
    staged: tuple[Column, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the files, in their order."""
        return self.staged or self.table.all_columns

    @property
    def stage(self) -> str:
        """The temporary table into which COPY writes."""
        return quoted(f"_stage_{self.table.physical_name}")

    @property
    def touched(self) -> str:
        """The temporary table of the keys whose latest row may have changed."""
        return quoted(f"_touched_{self.table.name}")


@dataclass(frozen=True)
class LoadBatch:
    dataset: str
    batch_id: str
    attempt: int


def load_statements(
    load_id: str, batches: Sequence[LoadBatch], tables: Sequence[LoadTable], copy_role: str
) -> list[str]:
    """The statements of one load, for one BatchExecuteStatement in TRANSACTION mode; at most 40.

    Raises `Terminal` for batches of different shards, which no single lock would keep from other loads.
    """
    history = _history(batches)
    body = [statement for table in tables for statement in _table_statements(table, copy_role)]
    return [
        f"LOCK {history}",
        _accept(batches, history),
        *body,
        f"DELETE FROM {history} WHERE load_id = {_text(load_id)}",
        _record(load_id, tables, history),
        f"SELECT batch_id, attempt, table_name, row_count FROM {history} WHERE load_id = {_text(load_id)}",
    ]


def _history(batches: Sequence[LoadBatch]) -> str:
    shards = sorted({shard_of(batch.dataset) for batch in batches})
    if len(shards) != 1:
        raise Terminal(f"expected batches of one shard in a load, found {', '.join(shards)}")
    return history_of(shards[0])


def _accept(batches: Sequence[LoadBatch], history: str) -> str:
    listed = " UNION ALL ".join(
        f"SELECT CAST({_text(batch.dataset)} AS VARCHAR(32)) AS dataset,"
        f" CAST({_text(batch.batch_id)} AS VARCHAR(64)) AS batch_id, {batch.attempt} AS attempt"
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
    return [
        f"CREATE TEMP TABLE {load.stage} ({definitions(load.columns)})",
        f"COPY {load.stage} FROM {_text(load.manifest)} IAM_ROLE {_text(copy_role)} FORMAT AS PARQUET MANIFEST",
        *touch,
        clear,
        f"INSERT INTO {table} ({_names(load.columns)}) SELECT {_names(load.columns, '_s')} FROM {_staged(load)}",
        *show,
    ]


def _staged(load: LoadTable) -> str:
    """The stage's rows that count."""
    return f'{load.stage} AS _s JOIN {ACCEPTED} AS _a ON _s."_batch_id" = _a.batch_id AND _s."_attempt" = _a.attempt'


def _touch(load: LoadTable) -> list[str]:
    """The keys that show a row of the accepted batches, which may go, and those of the rows that come."""
    shown, key = quoted(load.table.name), quoted(load.table.key or "")
    going = f'SELECT _t.{key} FROM {shown} AS _t JOIN {ACCEPTED} AS _a ON _t."_batch_id" = _a.batch_id'
    coming = f" UNION SELECT _s.{key} FROM {_staged(load)}" if load.manifest else ""
    return [f"CREATE TEMP TABLE {load.touched} AS {going}{coming}"]


def _show(load: LoadTable) -> list[str]:
    """Of each touched key the latest stored row. A null key equals none, so its rows are stored and never shown."""
    table = load.table
    shown, key, names = quoted(table.name), quoted(table.key or ""), _names(table.all_columns)
    latest_first = ", ".join(f"_t.{quoted(name)} DESC NULLS LAST" for name in table.latest_first)
    return [
        f"DELETE FROM {shown} USING {load.touched} AS _k WHERE {shown}.{key} = _k.{key}",
        (
            f"INSERT INTO {shown} ({names}) SELECT {names} FROM (SELECT _t.*,"
            f' ROW_NUMBER() OVER (PARTITION BY _t.{key} ORDER BY {latest_first}) AS "_rank"'
            f" FROM {quoted(table.physical_name)} AS _t JOIN {load.touched} AS _k ON _t.{key} = _k.{key})"
            " AS _ranked"
            ' WHERE "_rank" = 1'
        ),
    ]


def _record(load_id: str, tables: Sequence[LoadTable], history: str) -> str:
    counts = " UNION ALL ".join(
        f"SELECT {_text(load_id)}, _a.batch_id, _a.attempt, {_text(load.table.physical_name)},"
        f' COUNT(_t."_batch_id"), GETDATE() FROM {ACCEPTED} AS _a'
        f' LEFT JOIN {quoted(load.table.physical_name)} AS _t ON _t."_batch_id" = _a.batch_id'
        f" WHERE _a.dataset = {_text(load.dataset)} GROUP BY _a.batch_id, _a.attempt"
        for load in tables
    )
    return f"INSERT INTO {history} (load_id, batch_id, attempt, table_name, row_count, loaded_at) {counts}"


def _names(columns: Iterable[Column], alias: str = "") -> str:
    dot = f"{alias}." if alias else ""
    return ", ".join(f"{dot}{quoted(column.name)}" for column in columns)


def _text(value: str) -> str:
    """A checked literal: COPY takes no parameters of the Data API (docs/aws-facts.md#redshift-data-api)."""
    if not SAFE.fullmatch(value):
        raise ValueError(f"expected a name of {SAFE.pattern}, found {value!r}")
    return f"'{value}'"
