"""The warehouse's tables and views as SQL text, and what changes them when a declaration changes. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Optional

from tidemark.core.dataset import Column, Ratio, Table
from tidemark.core.errors import DeclarationError

#: What people read: the record of all loads, whatever their shard.
HISTORY = "tidemark.load_history"
#: Each shard has a table of the record, and its loads run one after the other; those of different shards share no
#: table and run side by side. A dataset's shard is the first hexadecimal digit of its name's MD5, so there are sixteen:
#: of the fifty queries that Redshift runs at once people keep two thirds. It must never change, for an attempt that is
#: loaded fences off older ones, and is looked for in its dataset's own shard alone (docs/decisions/0019-shards.md).
SHARDS = "0123456789abcdef"
HISTORY_COLUMNS = (
    "load_id VARCHAR(64) NOT NULL, batch_id VARCHAR(64) NOT NULL, attempt INTEGER NOT NULL,"
    " table_name VARCHAR(128) NOT NULL, row_count BIGINT NOT NULL, loaded_at TIMESTAMP NOT NULL"
)
#: Recorded once the record is there.
HISTORY_SHAPE = {"shards": SHARDS}
# Recorded beside the columns' names, none of which has a space.
VIEW = "its view"
SHOWS = "it shows"


@cache
def shard_of(dataset: str) -> str:
    """The dataset's shard, of SHARDS."""
    return hashlib.md5(dataset.encode(), usedforsecurity=False).hexdigest()[0]


def history_of(shard: str) -> str:
    """The table that holds a shard's part of the record."""
    return f"{HISTORY}_{shard}"


def history_statements() -> list[str]:
    """The warehouse's own record of loads: a table for each shard, and a view of them all; one transaction."""
    tables = (
        f"CREATE TABLE IF NOT EXISTS {history_of(shard)} ({HISTORY_COLUMNS}) DISTSTYLE ALL SORTKEY (batch_id)"
        for shard in SHARDS
    )
    parts = " UNION ALL ".join(map(_part_of_history, SHARDS))
    return [
        "CREATE SCHEMA IF NOT EXISTS tidemark",
        *tables,
        f"DROP VIEW IF EXISTS {HISTORY}",
        f"CREATE VIEW {HISTORY} AS {parts}",
    ]


def _part_of_history(shard: str) -> str:
    return f"SELECT load_id, batch_id, attempt, table_name, row_count, loaded_at FROM {history_of(shard)}"


def relations(table: Table) -> tuple[str, ...]:
    """Names of the tables that the warehouse keeps for a declared one; a latest one is stored, and shown."""
    return (table.physical_name, table.name) if table.kind == "latest" else (table.physical_name,)


def table_changes(table: Table, relation: str, recorded: Optional[Mapping[str, str]]) -> list[list[str]]:
    """What brings one of the warehouse's relations (as recorded, None where it was never made) to its declaration.

    Each inner list is one transaction; one that says "already exists" was applied by somebody who died before saying
    so. Columns may be added; one that changed its type or went away raises `DeclarationError` naming both types.
    """
    name = quoted(relation)
    if recorded is None:
        changes = [[f"CREATE TABLE IF NOT EXISTS {name} ({definitions(table.all_columns)}){_layout(table)}"]]
    else:
        _check_compatible(table, relation, recorded)
        changes = [
            [f"ALTER TABLE {name} ADD COLUMN {quoted(column.name)} {column.type.redshift}"]
            for column in table.all_columns
            if column.name not in recorded
        ]
    view = _view(table) if table.kind == "additive" else []
    return changes + ([view] if view and (recorded or {}).get(VIEW) != view[-1] else [])


def declared_shape(table: Table, relation: str) -> dict[str, str]:
    """Column name → Redshift type, with the view's text and what a latest table shows: recorded once applied."""
    shape = {column.name: column.type.redshift for column in table.all_columns}
    if table.kind == "additive":
        shape[VIEW] = _view(table)[-1]
    if table.kind == "latest" and relation == table.name:
        shape[SHOWS] = table.shows
    return shape


def quoted(identifier: str) -> str:
    """The identifier as SQL writes it."""
    return f'"{identifier}"'


def definitions(columns: Iterable[Column]) -> str:
    """Columns with their types, as CREATE TABLE lists them."""
    return ", ".join(f"{quoted(column.name)} {column.type.redshift}" for column in columns)


def _check_compatible(table: Table, relation: str, recorded: Mapping[str, str]) -> None:
    declared = declared_shape(table, relation)
    for name, known in recorded.items():
        if name != VIEW and declared.get(name) != known:
            wanted = declared.get(name, "no such column")
            where = ("tables", table.name) if name == SHOWS else ("tables", table.name, "columns", name)
            raise DeclarationError(f"expected {known} as in the warehouse, found {wanted}", where)


def _layout(table: Table) -> str:
    dist = f" DISTKEY ({quoted(table.dist)})" if table.dist else " DISTSTYLE AUTO"
    sort = f" SORTKEY ({', '.join(map(quoted, table.sort))})" if table.sort else ""
    return dist + sort


def _view(table: Table) -> list[str]:
    keys = ", ".join(quoted(key) for key in table.keys)
    sums = [f"CAST(SUM({quoted(name)}) AS {_sum_type(table, name)}) AS {quoted(name)}" for name in table.sums]
    shown = ", ".join([keys, *sums, *map(_quotient, table.ratios)])
    return [
        f"DROP VIEW IF EXISTS {quoted(table.name)}",
        f"CREATE VIEW {quoted(table.name)} AS SELECT {shown} FROM {quoted(table.physical_name)} GROUP BY {keys}",
    ]


def _quotient(ratio: Ratio) -> str:
    """Of the sums, not a sum of quotients; null where there is nothing to divide by."""
    numerator, denominator = quoted(ratio.numerator), quoted(ratio.denominator)
    return f"CAST(SUM({numerator}) AS DOUBLE PRECISION) / NULLIF(SUM({denominator}), 0) AS {quoted(ratio.name)}"


def _sum_type(table: Table, name: str) -> str:
    return next(column.type.redshift_sum for column in table.columns if column.name == name)
