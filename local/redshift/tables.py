"""Tables of the local warehouse: names, columns, and the text lengths that DuckDB does not keep.

Redshift enforces VARCHAR(n) in bytes. DuckDB does not, so each such column has a CHECK constraint, from which its
length is also read back. As in Redshift, primary keys and uniqueness are not enforced.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

DEFAULT_SCHEMA = "public"
ROW_BYTES_MAX = 65535  # of the columns that a statement processes
#: DuckDB's type → the bytes that Redshift's type takes in a row, besides the bytes of a text.
ROW_BYTES = {
    "VARCHAR": 4,
    "BOOLEAN": 1,
    "SMALLINT": 2,
    "INTEGER": 4,
    "FLOAT": 4,
    "DATE": 4,
}
ROW_BYTES_OTHERS = {True: 16, False: 8}  # decimals, and the rest


class SqlError(Exception):
    """A statement failed; the message has Redshift's wording, without the leading `ERROR: `."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Table:
    schema: str | None  # None for a temporary table or the default schema
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses `a`, `s.a` or `"s"."a"`; SqlError for anything else."""
        parts = [part.strip('"') if part.startswith('"') else part.lower() for part in text.strip().split(".")]
        if not 1 <= len(parts) <= 2 or not all(parts):
            raise SqlError(f'syntax error at or near "{text}"')
        return cls(parts[0] if len(parts) == 2 else None, parts[-1])

    @property
    def sql(self) -> str:
        return ".".join(quoted(part) for part in (self.schema, self.name) if part)

    def __str__(self) -> str:
        return ".".join(part for part in (self.schema, self.name) if part)


@dataclass(frozen=True)
class Column:
    name: str
    type: str  # DuckDB's type; VARCHAR for every text
    length: int | None = None  # maximum bytes, for texts only
    is_required: bool = False
    default: str | None = None  # SQL

    @property
    def row_bytes(self) -> int:
        """The most bytes that a value takes in a row of Redshift."""
        fixed = ROW_BYTES.get(self.type, ROW_BYTES_OTHERS[self.type.startswith("DECIMAL")])
        return fixed + (self.length or 0)

    def required(self) -> "Column":
        return replace(self, is_required=True)

    @property
    def sql(self) -> str:
        default = f" DEFAULT {self.default}" if self.default is not None else ""
        check = f" CHECK (strlen({quoted(self.name)}) <= {self.length})" if self.length else ""
        return f"{quoted(self.name)} {self.type}{' NOT NULL' if self.is_required else ''}{default}{check}"

    @property
    def redshift_type(self) -> str:
        """The type as Redshift writes it."""
        return f"VARCHAR({self.length})" if self.length else self.type


def create_sql(table: Table, columns: Iterable[Column], *, temporary: bool = False, if_not_exists: bool = False) -> str:
    """DuckDB's CREATE TABLE."""
    words = f"CREATE {'TEMP ' if temporary else ''}TABLE {'IF NOT EXISTS ' if if_not_exists else ''}"
    return f"{words}{table.sql} ({', '.join(column.sql for column in columns)})"


def columns_of(cursor: Any, table: Table) -> tuple[Column, ...]:
    """The table's columns in order; SqlError if there is no such table. A temporary table hides a permanent one."""
    where = (
        "table_name = ? AND (database_name = 'temp' AND ? IS NULL"
        " OR database_name = current_database() AND schema_name = ?)"
    )
    keys = [table.name, table.schema, table.schema or DEFAULT_SCHEMA]
    rows = cursor.execute(
        "SELECT database_name, column_name, data_type, NOT is_nullable, column_default"
        f" FROM duckdb_columns() WHERE {where} ORDER BY database_name = 'temp' DESC, column_index",
        keys,
    ).fetchall()
    if not rows:
        raise SqlError(f'relation "{table}" does not exist')
    checks = cursor.execute(
        "SELECT database_name, constraint_column_names[1], constraint_text FROM duckdb_constraints()"
        f" WHERE constraint_type = 'CHECK' AND {where}",
        keys,
    ).fetchall()
    lengths = {(database, name): _length(text) for database, name, text in checks}
    return tuple(
        Column(name, kind, lengths.get((database, name)), bool(required), default)
        for database, name, kind, required, default in rows
        if database == rows[0][0]
    )


def filled_columns(cursor: Any, table: Table, names: Iterable[str]) -> tuple[Column, ...]:
    """The columns that a statement fills, in its order: those that it names, or all."""
    known = columns_of(cursor, table)
    by_name = {column.name.lower(): column for column in known}
    wanted = [name.lower() for name in names]
    missing = [name for name in wanted if name not in by_name]
    if missing:
        raise SqlError(f'column "{missing[0]}" of relation "{table}" does not exist')
    return tuple(by_name[name] for name in wanted) or known


def check_width(columns: Iterable[Column]) -> None:
    """Raises SqlError, as Redshift does, if rows of these columns are too wide to be processed.

    Redshift does not say how much of a VARCHAR counts. Here all of it does, so that what passes here passes there.
    """
    if sum(column.row_bytes for column in columns) > ROW_BYTES_MAX:
        raise SqlError(
            "8001 DETAIL: The combined length of columns processed in the SQL statement exceeded the query-processing"
            f" limit of {ROW_BYTES_MAX} characters"
        )


def _length(check: str) -> int | None:
    match = re.search(r"strlen\(.*\) <= (\d+)", check)
    return int(match.group(1)) if match else None


def rebuild(cursor: Any, table: Table, columns: Iterable[Column], *, values: Iterable[str]) -> None:
    """Replace a table by one with `columns`, filled from `values` (SQL over the old columns).

    DuckDB cannot alter CHECK constraints.
    """
    fresh = replace(table, name=f"{table.name}__rebuilt")
    cursor.execute(create_sql(fresh, columns))
    cursor.execute(f"INSERT INTO {fresh.sql} SELECT {', '.join(values)} FROM {table.sql}")
    cursor.execute(f"DROP TABLE {table.sql}")
    cursor.execute(f"ALTER TABLE {fresh.sql} RENAME TO {quoted(table.name)}")


def change_column(cursor: Any, table: Table, column: Column, *, is_new: bool) -> None:
    """Add the column or lengthen an existing one; SqlError if it already exists, is missing or would not grow."""
    old = columns_of(cursor, table)
    existing = next((c for c in old if c.name.lower() == column.name.lower()), None)
    if is_new and existing:
        raise SqlError(f'column "{column.name}" of relation "{table}" already exists')
    if is_new:
        added = "NULL" if column.default is None else column.default
        rebuild(cursor, table, [*old, column], values=[*(quoted(c.name) for c in old), added])
        return
    if existing is None:
        raise SqlError(f'column "{column.name}" of relation "{table}" does not exist')
    if not existing.length or not column.length or column.length <= existing.length:
        raise SqlError(f'cannot alter type of column "{existing.name}": target column size should be larger')
    wider = [replace(c, length=column.length) if c is existing else c for c in old]
    rebuild(cursor, table, wider, values=[quoted(c.name) for c in old])
