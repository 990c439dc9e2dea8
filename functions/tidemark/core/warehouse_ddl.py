"""Writes the SQL that creates the warehouse's tables and views and adapts them to a changed declaration. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Optional

from tidemark.core.dataset import Column, Ratio, Table
from tidemark.core.errors import DeclarationError

#: The view of the load history of all shards.
HISTORY = "tidemark.load_history"
#: Each shard has its own history table. Its loads run one after the other; loads of different shards share no table and
#: run in parallel. A dataset's shard is the first hexadecimal digit of its name's MD5. The sixteen shards leave two
#: thirds of the fifty queries that Redshift runs at once to people. A dataset's shard must never change: a loaded
#: attempt fences off older ones, and is only looked for in its dataset's shard (docs/decisions/0019-shards.md).
SHARDS = "0123456789abcdef"
HISTORY_COLUMNS = (
    "load_id VARCHAR(64) NOT NULL, batch_id VARCHAR(64) NOT NULL, attempt INTEGER NOT NULL,"
    " table_name VARCHAR(128) NOT NULL, row_count BIGINT NOT NULL, loaded_at TIMESTAMP NOT NULL"
)
#: The shape that the ledger records once the history tables exist.
HISTORY_SHAPE = {"shards": SHARDS}
# Entries of a recorded shape besides its columns, whose names have no spaces.
VIEW = "its view"
SHOWS = "it shows"
_RATIO = re.compile(r'CAST\(SUM\("\w+"\) AS DOUBLE PRECISION\) / NULLIF\(SUM\("\w+"\), 0\)')
_TEXT = re.compile(r"VARCHAR\((?P<bytes>\d+)\)")


@cache
def shard_of(dataset: str) -> str:
    """The dataset's shard, one of SHARDS."""
    return hashlib.md5(dataset.encode(), usedforsecurity=False).hexdigest()[0]


def history_of(shard: str) -> str:
    """The load history table of one shard."""
    return f"{HISTORY}_{shard}"


def history_statements() -> list[str]:
    """The statements that create the load history: a table for each shard and a view of all; one transaction."""
    tables = (
        f"CREATE TABLE IF NOT EXISTS {history_of(shard)} ({HISTORY_COLUMNS}) DISTSTYLE ALL SORTKEY (batch_id)"
        for shard in SHARDS
    )
    all_shards = " UNION ALL ".join(map(_select_history, SHARDS))
    return [
        "CREATE SCHEMA IF NOT EXISTS tidemark",
        *tables,
        f"CREATE OR REPLACE VIEW {HISTORY} AS {all_shards}",
    ]


def _select_history(shard: str) -> str:
    return f"SELECT load_id, batch_id, attempt, table_name, row_count, loaded_at FROM {history_of(shard)}"


def relations(table: Table) -> tuple[str, ...]:
    """Names of the warehouse's tables for a declared table; a latest table has one by batch and one of latest rows."""
    return (table.physical_name, table.name) if table.kind == "latest" else (table.physical_name,)


@dataclass(frozen=True)
class Privilege:
    """What somebody may do with a relation: a row of `privileges_query`."""

    word: str  # such as SELECT
    identity: str
    kind: str  # user | group | role | public
    may_grant: bool

    def grant(self, relation: str) -> str:
        """The statement that grants it. Raises ValueError for a privilege that is no word."""
        if not self.word.isalpha():
            raise ValueError(f"expected a privilege, found {self.word!r}")
        kinds = {"public": "PUBLIC", "user": "", "group": "GROUP ", "role": "ROLE "}
        name = "" if self.kind == "public" else quoted(self.identity.replace('"', '""'))
        option = " WITH GRANT OPTION" if self.may_grant else ""
        return f"GRANT {self.word} ON {quoted(relation)} TO {kinds[self.kind]}{name}{option}"


def privileges_query(relation: str) -> str:
    """The query for the relation's privileges, which are a `Privilege` each."""
    return (
        "SELECT privilege_type, identity_name, identity_type, admin_option FROM svv_relation_privileges"
        f" WHERE namespace_name = 'public' AND relation_name = '{relation}'"
    )


def drops_view(table: Table, recorded: Optional[Mapping[str, str]]) -> bool:
    """Whether `table_changes` has to drop the table's view, and with it the privileges of its readers.

    Redshift replaces a view only by one with the same columns (docs/aws-facts.md#redshift-views).
    """
    before = (recorded or {}).get(VIEW)
    return table.kind == "additive" and before is not None and not _same_columns(before, _view(table))


def table_changes(
    table: Table, relation: str, recorded: Optional[Mapping[str, str]], privileges: Iterable[Privilege] = ()
) -> list[list[str]]:
    """The statements that make one of the warehouse's tables as declared; each inner list is one transaction.

    `recorded` is the table's shape in the ledger, None if it was never created. A transaction that fails with "already
    exists" was applied before a crash. Columns may be added; a column that was removed or has another type raises
    `DeclarationError` with both types. `privileges` are granted again on a view that is dropped.
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
    if table.kind != "additive" or (recorded or {}).get(VIEW) == _view(table):
        return changes
    return [*changes, _view_change(table, recorded, privileges)]


def declared_shape(table: Table, relation: str) -> dict[str, str]:
    """The shape that the ledger records once the changes are applied.

    Maps column names to Redshift types, `VIEW` to the view's text, and `SHOWS` to the rule of a table of latest rows.
    """
    shape = {column.name: column.type.redshift for column in table.all_columns}
    if table.kind == "additive":
        shape[VIEW] = _view(table)
    if table.kind == "latest" and relation == table.name:
        shape[SHOWS] = table.shows
    return shape


def quoted(identifier: str) -> str:
    """The identifier in double quotes."""
    return f'"{identifier}"'


def definitions(columns: Iterable[Column]) -> str:
    """The column definitions of a CREATE TABLE."""
    return ", ".join(f"{quoted(column.name)} {column.type.redshift}" for column in columns)


def _check_compatible(table: Table, relation: str, recorded: Mapping[str, str]) -> None:
    declared = declared_shape(table, relation)
    for name, current in recorded.items():
        if name != VIEW and declared.get(name) != current and not _is_shorter(declared.get(name, ""), current):
            wanted = declared.get(name, "no such column")
            where = ("tables", table.name) if name == SHOWS else ("tables", table.name, "columns", name)
            raise DeclarationError(f"expected {current} as in the warehouse, found {wanted}", where)


def _is_shorter(declared: str, recorded: str) -> bool:
    """Whether both are texts and the declared one is shorter: the warehouse's column stays, and holds all of them."""
    shorter, longer = _TEXT.fullmatch(declared), _TEXT.fullmatch(recorded)
    return shorter is not None and longer is not None and int(shorter["bytes"]) < int(longer["bytes"])


def _layout(table: Table) -> str:
    dist = f" DISTKEY ({quoted(table.dist)})" if table.dist else " DISTSTYLE AUTO"
    sort = f" SORTKEY ({', '.join(map(quoted, table.sort))})" if table.sort else ""
    return dist + sort


def _view_change(table: Table, recorded: Optional[Mapping[str, str]], privileges: Iterable[Privilege]) -> list[str]:
    """Replaces the view, or drops it and grants its readers' privileges again, in one transaction."""
    if recorded and VIEW in recorded and not drops_view(table, recorded):
        return [_view(table).replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)]
    grants = [privilege.grant(table.name) for privilege in privileges]
    return [f"DROP VIEW IF EXISTS {quoted(table.name)}", _view(table), *grants]


def _same_columns(view: str, other: str) -> bool:
    """Whether two texts of views differ in ratios' operands at most."""
    return _RATIO.sub("", view) == _RATIO.sub("", other)


def _view(table: Table) -> str:
    """The text of the view, by which the ledger knows it."""
    keys = ", ".join(quoted(key) for key in table.keys)
    sums = [f"CAST(SUM({quoted(name)}) AS {_sum_type(table, name)}) AS {quoted(name)}" for name in table.sums]
    shown = ", ".join([keys, *sums, *map(_quotient, table.ratios)])
    return f"CREATE VIEW {quoted(table.name)} AS SELECT {shown} FROM {quoted(table.physical_name)} GROUP BY {keys}"


def _quotient(ratio: Ratio) -> str:
    """The quotient of the sums, not the sum of quotients; null if the denominator is 0."""
    numerator, denominator = quoted(ratio.numerator), quoted(ratio.denominator)
    return f"CAST(SUM({numerator}) AS DOUBLE PRECISION) / NULLIF(SUM({denominator}), 0) AS {quoted(ratio.name)}"


def _sum_type(table: Table, name: str) -> str:
    return next(column.type.redshift_sum for column in table.columns if column.name == name)
