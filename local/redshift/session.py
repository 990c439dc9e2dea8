"""The local warehouse and its sessions, which run plans on DuckDB and report errors in Redshift's wording."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb

from local.redshift.copy_parquet import S3, copy
from local.redshift.dialect import MACROS
from local.redshift.grants import ADMIN, ActAs, Grants
from local.redshift.locks import Locks
from local.redshift.plans import (
    Administer,
    ChangeColumn,
    Copy,
    CreateSchema,
    CreateTable,
    DropRelation,
    InsertRows,
    Nothing,
    Plan,
    Query,
    ReplaceView,
    Truncate,
)
from local.redshift.privileges import DDL as PRIVILEGES_DDL
from local.redshift.privileges import Privileges, apply, check_same_columns, forget
from local.redshift.tables import (
    DEFAULT_SCHEMA,
    SqlError,
    change_column,
    check_width,
    columns_of,
    create_sql,
    filled_columns,
)

#: Statements can access only the database: no files, no network, no extensions, no variables of this process.
SANDBOX: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}
SETTINGS: Final = (
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL integer_division = true",
    "SET lock_configuration = true",  # last, because it forbids every later change of settings
)
TYPES: Final = {  # DuckDB → Redshift, as ColumnMetadata names them
    "SMALLINT": "int2",
    "INTEGER": "int4",
    "BIGINT": "int8",
    "HUGEINT": "numeric",
    "FLOAT": "float4",
    "DOUBLE": "float8",
    "BOOLEAN": "bool",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "TIME": "time",
    "JSON": "super",
    "BLOB": "varbyte",
}
TOO_LONG: Final = r"Value too long for character type: \1, VARCHAR(\2)"
MESSAGES: Final = (  # DuckDB's message (a pattern) → Redshift's
    (r"Table with name \"?[\w.]+\"? does not exist because schema \"?(\w+)\"?.*", r'schema "\1" does not exist'),
    (r"(?:Table|View) with name \"?([\w.]+)\"? does not exist.*", r'relation "\1" does not exist'),
    (r"Schema with name \"?(\w+)\"? does not exist.*", r'schema "\1" does not exist'),
    (r"(?:Table|View) with name \"?([\w.]+)\"? already exists.*", r'relation "\1" already exists'),
    (r"Schema with name \"?(\w+)\"? already exists.*", r'schema "\1" already exists'),
    (r"Referenced column \"?(\w+)\"? not found.*", r'column "\1" does not exist'),
    (r"CHECK constraint failed.*strlen\(\"?(\w+)\"?\) <= (\d+).*", TOO_LONG),
    (r"NOT NULL constraint failed: [\w.]*?(\w+)$", r"Cannot insert a NULL value into column \1"),
    (r".*MERGE.*multiple.*", "Found multiple matches to update the same tuple"),
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """A result set: column names, DuckDB's types, and the rows."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Effect:
    """A statement's effect: the number of rows returned or changed, and the result set, if any."""

    count: int
    rows: Rows | None = None


class Warehouse:
    """The database file. Every writer must hold `locks`.

    No DuckDB setting keeps SQL from reading the database's own file; `dialect.refuse_sources` rejects the functions
    that would do so.
    """

    def __init__(self, path: Path, s3: S3) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = duckdb.connect(str(path), config=SANDBOX)
        self._database.execute(f"CREATE SCHEMA IF NOT EXISTS {DEFAULT_SCHEMA}")
        for definition in (*MACROS, PRIVILEGES_DDL):
            self._database.execute(definition)
        for setting in SETTINGS:
            self._database.execute(setting)
        self.s3 = s3
        self.locks = Locks()
        self.grants = Grants()

    def session(self, user: str = ADMIN, database: str = "warehouse") -> "Session":
        """A session of that database user; `database` is the name in messages, because one file serves all."""
        cursor = self._database.cursor()
        cursor.execute(f"USE {DEFAULT_SCHEMA}")
        self.grants.connect(user)
        return Session(cursor, self.s3, self.grants, user, database)

    def close(self) -> None:
        self._database.close()


class Session:
    """A connection with its own temporary tables. `run` and `commit` raise SqlError with Redshift's wording."""

    def __init__(self, cursor: Any, s3: S3, grants: Grants, user: str, database: str) -> None:
        self.cursor, self._s3, self._grants, self._user, self._database = cursor, s3, grants, user, database

    def begin(self) -> None:
        self.cursor.execute("BEGIN TRANSACTION")

    def commit(self) -> None:
        self._translated(lambda: self.cursor.execute("COMMIT"))

    def rollback(self) -> None:
        self.cursor.execute("ROLLBACK")

    def interrupt(self) -> None:
        self.cursor.interrupt()

    def close(self) -> None:
        self.cursor.close()

    def run(self, plan: Plan) -> Effect:
        """Execute one plan."""
        effect: Effect = self._translated(lambda: self._run(plan))
        return effect

    def _run(self, plan: Plan) -> Effect:
        match plan:
            case Query(sql, kind):
                return self._query(sql, kind)
            case CreateSchema(sql):
                self._grants.check_create(self._user, self._database)
                self.cursor.execute(sql)
            case Administer(statement):
                self._grants.administer(self._user, statement)
                if isinstance(statement, ActAs):
                    self._user = statement.user
            case InsertRows(table, columns, sql):
                check_width(filled_columns(self.cursor, table, columns))
                return self._query(sql, "count")
            case Copy():
                return Effect(copy(self.cursor, plan, self._s3))
            case Nothing(tables):
                for table in tables:
                    columns_of(self.cursor, table)
            case _:
                self._change_relation(plan)
        return Effect(0)

    def _change_relation(self, plan: Plan) -> None:
        match plan:
            case CreateTable():
                self._create(plan)
            case ChangeColumn(table, column, is_new):
                change_column(self.cursor, table, column, is_new=is_new)
            case Truncate(table):
                self.cursor.execute(f"TRUNCATE {table.sql}")
            case ReplaceView(view, query, sql):
                check_same_columns(self.cursor, view, query)
                self.cursor.execute(sql)
            case DropRelation(tables, sql):
                self.cursor.execute(sql)
                for table in tables:
                    forget(self.cursor, table)
            case Privileges():
                apply(self.cursor, plan)

    def _query(self, sql: str, kind: str) -> Effect:
        done = self.cursor.execute(sql)
        if kind == "count":
            return Effect(int(done.fetchone()[0]))
        if kind != "rows":
            return Effect(0)
        columns = [(str(name), str(kind)) for name, kind, *_ in done.description]
        rows = done.fetchall()
        names, types = zip(*columns, strict=True)
        return Effect(len(rows), Rows(names, types, rows))

    def _create(self, plan: CreateTable) -> None:
        columns = columns_of(self.cursor, plan.like) if plan.like else plan.columns
        words = {"temporary": plan.temporary, "if_not_exists": plan.if_not_exists}
        self.cursor.execute(create_sql(plan.table, columns, **words))

    def _translated(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except duckdb.Error as error:
            raise SqlError(redshift_message(str(error))) from error


def redshift_message(message: str) -> str:
    """Redshift's wording for DuckDB's error message if there is one in MESSAGES, else its first paragraph."""
    text = message.partition("Error: ")[2] or message
    flat = text.partition("\n\n")[0]
    for pattern, words in MESSAGES:
        match = re.match(pattern, flat, re.DOTALL)
        if match:
            return match.expand(words)
    return flat.strip()


def type_name(kind: str) -> tuple[str, int, int]:
    """Redshift's type name, precision and scale for a DuckDB type."""
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    if decimal:
        return "numeric", int(decimal[1]), int(decimal[2])
    return TYPES.get(kind, "varchar"), {"HUGEINT": 38}.get(kind, 0), 0


def field(value: Any) -> dict[str, Any]:
    """The Data API's Field for a value; as in Redshift, numerics, dates and times are text."""
    match value:
        case None:
            return {"isNull": True}
        case bool():
            return {"booleanValue": value}
        case int():
            return {"longValue": value}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"blobValue": value}
        case datetime():
            return {"stringValue": _timestamp(value)}
        case date() | time() | Decimal():
            return {"stringValue": str(value)}
    return {"stringValue": str(value)}


def fields(rows: Rows) -> list[list[dict[str, Any]]]:
    """The rows as Data API records. DuckDB's HUGEINT, a sum of BIGINTs, becomes text: Redshift's type is NUMERIC."""
    texts = {number for number, kind in enumerate(rows.types) if kind == "HUGEINT"}
    return [
        [field(str(v) if number in texts and v is not None else v) for number, v in enumerate(row)] for row in rows.rows
    ]


def _timestamp(value: datetime) -> str:
    plain = value.astimezone(UTC) if value.tzinfo else value
    text = plain.strftime("%Y-%m-%d %H:%M:%S")
    text += f".{plain.microsecond:06}".rstrip("0") if plain.microsecond else ""
    return text + "+00" if value.tzinfo else text
