"""Tables of the local warehouse: names, columns, and the lengths of texts that DuckDB would forget.

VARCHAR(n) counts bytes in Redshift and is enforced; here each such column carries a CHECK of its own, which is
also where its length is read from again. Primary keys and uniqueness are, as in Redshift, not enforced.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

DEFAULT_SCHEMA = "public"


class SqlError(Exception):
    """A statement fails in the warehouse; the words are Redshift's, without their leading `ERROR: `."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Table:
    schema: str | None  # None: a temporary table or one of the default schema
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """`a`, `s.a`, `"s"."a"`; SqlError for more parts."""
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
    type: str  # DuckDB's, a text always as VARCHAR
    length: int | None = None  # bytes, texts only
    is_required: bool = False
    default: str | None = None  # SQL

    def required(self) -> "Column":
        return replace(self, is_required=True)

    @property
    def sql(self) -> str:
        default = f" DEFAULT {self.default}" if self.default is not None else ""
        check = f" CHECK (strlen({quoted(self.name)}) <= {self.length})" if self.length else ""
        return f"{quoted(self.name)} {self.type}{' NOT NULL' if self.is_required else ''}{default}{check}"

    @property
    def redshift_type(self) -> str:
        """The type in Redshift's words."""
        return f"VARCHAR({self.length})" if self.length else self.type


def create_sql(table: Table, columns: Iterable[Column], *, temporary: bool = False, if_not_exists: bool = False) -> str:
    """DuckDB's CREATE TABLE."""
    words = f"CREATE {'TEMP ' if temporary else ''}TABLE {'IF NOT EXISTS ' if if_not_exists else ''}"
    return f"{words}{table.sql} ({', '.join(column.sql for column in columns)})"


def columns_of(cursor: Any, table: Table) -> tuple[Column, ...]:
    """The table's columns in order; SqlError when there is no such table. A temporary table hides another."""
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


def _length(check: str) -> int | None:
    match = re.search(r"strlen\(.*\) <= (\d+)", check)
    return int(match.group(1)) if match else None


def rebuilt(cursor: Any, table: Table, columns: Iterable[Column], *, values: Iterable[str]) -> None:
    """Give a table other columns, filled from `values` (SQL over the old ones): DuckDB cannot alter CHECKs."""
    fresh = replace(table, name=f"{table.name}__rebuilt")
    cursor.execute(create_sql(fresh, columns))
    cursor.execute(f"INSERT INTO {fresh.sql} SELECT {', '.join(values)} FROM {table.sql}")
    cursor.execute(f"DROP TABLE {table.sql}")
    cursor.execute(f"ALTER TABLE {fresh.sql} RENAME TO {quoted(table.name)}")


def changed(cursor: Any, table: Table, column: Column, *, is_new: bool) -> None:
    """Add the column or give an old one its new length; SqlError when it exists, is missing or would shrink."""
    old = columns_of(cursor, table)
    found = next((c for c in old if c.name.lower() == column.name.lower()), None)
    if is_new and found:
        raise SqlError(f'column "{column.name}" of relation "{table}" already exists')
    if is_new:
        added = "NULL" if column.default is None else column.default
        rebuilt(cursor, table, [*old, column], values=[*(quoted(c.name) for c in old), added])
        return
    if found is None:
        raise SqlError(f'column "{column.name}" of relation "{table}" does not exist')
    if not found.length or not column.length or column.length <= found.length:
        raise SqlError(f'cannot alter type of column "{found.name}": target column size should be larger')
    wider = [replace(c, length=column.length) if c is found else c for c in old]
    rebuilt(cursor, table, wider, values=[quoted(c.name) for c in old])
