"""The operations of the local warehouse: each SQL statement becomes one plan."""

from collections.abc import Mapping
from dataclasses import dataclass

from local.redshift.grants import Administration
from local.redshift.privileges import Privileges
from local.redshift.tables import Column, Table


@dataclass(frozen=True)
class Query:
    """SQL for DuckDB. `kind` is "rows" for a result set, "count" for a number of changed rows, else ""."""

    sql: str
    kind: str = ""


@dataclass(frozen=True)
class InsertRows:
    """INSERT … SELECT: the SQL for DuckDB, and the columns that it fills (empty: all of the table's)."""

    table: Table
    columns: tuple[str, ...]
    sql: str


@dataclass(frozen=True)
class CreateSchema:
    """SQL for DuckDB, for users that may create schemas."""

    sql: str


@dataclass(frozen=True)
class ReplaceView:
    """CREATE OR REPLACE VIEW: the SQL for DuckDB, and the view's query."""

    view: Table
    query: str
    sql: str


@dataclass(frozen=True)
class DropRelation:
    """DROP TABLE or DROP VIEW."""

    tables: tuple[Table, ...]
    sql: str


@dataclass(frozen=True)
class Administer:
    """A statement about users."""

    statement: Administration


@dataclass(frozen=True)
class Nothing:
    """A no-op for a statement without effect in DuckDB; the `tables` that it names must exist nevertheless."""

    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class CreateTable:
    table: Table
    columns: tuple[Column, ...]
    like: Table | None = None  # the table to take the columns from
    temporary: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True)
class ChangeColumn:
    """Add the column, or change the length of an existing one."""

    table: Table
    column: Column
    is_new: bool


@dataclass(frozen=True)
class Truncate:
    table: Table


@dataclass(frozen=True)
class Copy:
    table: Table
    columns: tuple[str, ...]  # empty: all of the table's
    uri: str
    iam_role: str
    options: Mapping[str, str]  # upper-case option → its value, or "" for none


Plan = (
    Query
    | CreateSchema
    | Administer
    | InsertRows
    | ReplaceView
    | DropRelation
    | Privileges
    | Nothing
    | CreateTable
    | ChangeColumn
    | Truncate
    | Copy
)
