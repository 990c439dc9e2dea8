"""What the local warehouse can be asked to do: one plan per SQL statement."""

from collections.abc import Mapping
from dataclasses import dataclass

from local.redshift.tables import Column, Table


@dataclass(frozen=True)
class Query:
    """SQL for DuckDB. `kind`: "rows" gives a result set, "count" counts rows, "" neither."""

    sql: str
    kind: str = ""


@dataclass(frozen=True)
class Nothing:
    """A statement that has no meaning here; the `tables` it names must exist all the same."""

    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class CreateTable:
    table: Table
    columns: tuple[Column, ...]
    like: Table | None = None  # take the columns from there
    temporary: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True)
class ChangeColumn:
    """Add the column, or give an existing one its new length."""

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
    options: Mapping[str, str]  # upper-case words after the source, each with its value or ""


Plan = Query | Nothing | CreateTable | ChangeColumn | Truncate | Copy
