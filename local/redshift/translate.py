"""Translates each Redshift SQL statement to a plan for DuckDB, with sqlglot and a few rules of its own.

Performance settings (keys, encodings) are ignored on purpose. Privileges are kept and not enforced
(`local.redshift.privileges`), except the right to create schemas (`local.redshift.grants`). `local.redshift.locks`
handles LOCK. Every other statement that is not understood is an error.
"""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlglot
from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import ErrorLevel, SqlglotError

from local.redshift.dialect import Dialect, column, duckdb_sql, length_of, refuse_sources, unsupported
from local.redshift.grants import administration
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
from local.redshift.privileges import Identity, Privileges
from local.redshift.tables import Column, SqlError, Table

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns on every fallback to Command, which is expected here

TUNING = (exp.DistKeyProperty, exp.DistStyleProperty, exp.SortKeyProperty, exp.BackupProperty)
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
KEYS = (exp.PrimaryKey, exp.ForeignKey, exp.UniqueColumnConstraint)
IGNORED_COMMANDS: Final = {"GRANT", "REVOKE", "VACUUM", "ANALYZE"}
IGNORED_SETTINGS: Final = {"query_group", "statement_timeout", "enable_result_cache_for_session", "application_name"}


def translate(sql: str, parameters: Mapping[str, str] | None = None) -> Plan:
    """The plan for one Redshift statement; SqlError, with Redshift's wording, if there is none."""
    text = sql.strip().rstrip(";").strip()
    if re.match(r"COPY\b", text, re.IGNORECASE):
        return _copy(text)
    if statement := administration(text):
        return Administer(statement)
    like = _create_like(text)
    return like or _plan(_parse(text), parameters or {})


def used_parameters(sql: str) -> set[str]:
    """Names of the `:name` parameters in a statement; empty if it cannot be parsed."""
    try:
        return {node.name for node in _parse(sql).find_all(exp.Placeholder)}
    except SqlError:
        return set()


def _parse(text: str) -> exp.Expression:
    try:
        statements = [s for s in sqlglot.parse(text, read=Dialect, error_level=ErrorLevel.RAISE) if s is not None]
    except SqlglotError as error:
        raise SqlError(f"syntax error: {_plain(str(error))}") from error
    if len(statements) != 1:
        raise SqlError(f"one statement is expected, found {len(statements)}")
    statement = statements[0]
    assert isinstance(statement, exp.Expression)
    return statement


def _plain(message: str) -> str:
    """The first line of sqlglot's message, without its terminal colours."""
    return re.sub(r"\x1b\[\d+m", "", message).partition("\n")[0]


def _plan(statement: exp.Expression, parameters: Mapping[str, str]) -> Plan:
    refuse_sources(statement)
    for kind, plan in PLANS.items():
        if isinstance(statement, kind):
            return plan(_with_values(statement, parameters))
    raise unsupported(statement)


def _with_values(statement: exp.Expression, parameters: Mapping[str, str]) -> exp.Expression:
    """Replaces parameters by text literals, which are converted to the type of their context, as in Redshift."""

    def value(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Placeholder):
            return node
        if node.name not in parameters:
            raise SqlError(f"parameter :{node.name} has no value")
        text = parameters[node.name]
        # DuckDB does not convert text literals in arithmetic.
        is_number = isinstance(node.parent, ARITHMETIC) and re.fullmatch(r"\d+(\.\d+)?", text)
        return exp.Literal.number(text) if is_number else exp.Literal.string(text)

    return statement.transform(value)


# ---- queries and changes of rows


def _query(kind: str) -> Callable[[exp.Expression], Query]:
    return lambda statement: Query(duckdb_sql(statement), kind)


def _insert(statement: exp.Insert) -> Query | InsertRows:
    """Rows of a SELECT have a limit of their width; VALUES are left to DuckDB."""
    if not isinstance(statement.expression, exp.Select | exp.SetOperation):
        return Query(duckdb_sql(statement), "count")
    into = statement.this
    columns = tuple(column.name.lower() for column in into.expressions) if isinstance(into, exp.Schema) else ()
    return InsertRows(table_of(into.this if isinstance(into, exp.Schema) else into), columns, duckdb_sql(statement))


# ---- definitions


def _create(statement: exp.Expression) -> Plan:
    kind = str(statement.args["kind"]).upper()
    if kind == "TABLE" and isinstance(statement.this, exp.Schema) and not statement.expression:
        return _create_table(statement)
    if kind == "TABLE" and statement.expression:
        return _create_as(statement)
    if kind == "VIEW":
        return _create_view(statement)
    if kind == "SCHEMA" and not _properties(statement):
        return CreateSchema(duckdb_sql(statement))
    raise unsupported(statement)


def _properties(statement: exp.Expression) -> list[exp.Expression]:
    properties = statement.args.get("properties")
    return list(properties.expressions) if properties else []


def _is_temporary(statement: exp.Expression) -> bool:
    """Whether the table is TEMP or its name starts with #; SqlError for properties that are not just tuning."""
    others = [p for p in _properties(statement) if not isinstance(p, exp.TemporaryProperty)]
    unknown = [p for p in others if not isinstance(p, TUNING)]
    if unknown:
        raise unsupported(statement, f"property {unknown[0].sql(dialect='redshift')}")
    made = statement.find(exp.Table)
    return len(others) < len(_properties(statement)) or (made is not None and made.name.startswith("#"))


def _create_table(statement: exp.Expression) -> CreateTable:
    parts = statement.this.expressions
    columns = tuple(column(part) for part in parts if isinstance(part, exp.ColumnDef))
    unknown = [p for p in parts if not isinstance(p, (exp.ColumnDef, exp.Constraint, *KEYS))]
    if unknown:
        raise unsupported(statement, unknown[0].sql(dialect="redshift"))
    primary = {c.name for part in parts if isinstance(part, exp.PrimaryKey) for c in part.expressions}
    columns = tuple(c.required() if c.name in primary else c for c in columns)
    exists = bool(statement.args.get("exists"))
    return CreateTable(table_of(statement.this.this), columns, None, _is_temporary(statement), exists)


def _create_as(statement: exp.Expression) -> Query:
    if isinstance(statement.this, exp.Schema):
        raise unsupported(statement, "column names before AS")
    word = "TEMP TABLE" if _is_temporary(statement) else "TABLE"
    return Query(f"CREATE {word} {table_of(statement.this).sql} AS {duckdb_sql(statement.expression)}", "count")


def _create_view(statement: exp.Expression) -> Query | ReplaceView:
    if _properties(statement) or statement.args.get("exists"):
        raise unsupported(statement)
    names = {cte.alias for cte in statement.find_all(exp.CTE)}
    unqualified = [t for t in statement.expression.find_all(exp.Table) if not t.db and t.name not in names]
    if statement.args.get("no_schema_binding") and unqualified:
        raise SqlError("All the relation names inside should be qualified when creating VIEW WITH NO SCHEMA BINDING.")
    definition = f"VIEW {duckdb_sql(statement.this)} AS {duckdb_sql(statement.expression)}"
    if not statement.args.get("replace"):
        return Query(f"CREATE {definition}")
    return ReplaceView(table_of(statement.this), duckdb_sql(statement.expression), f"CREATE OR REPLACE {definition}")


def _drop(statement: exp.Expression) -> Query | DropRelation:
    sql = duckdb_sql(statement)
    is_relation = str(statement.args["kind"]).upper() in ("TABLE", "VIEW")
    return DropRelation(tuple(map(table_of, statement.find_all(exp.Table))), sql) if is_relation else Query(sql)


def _create_like(text: str) -> CreateTable | None:
    """Parses `CREATE [TEMP] TABLE a (LIKE b)`, for which sqlglot generates invalid SQL."""
    name = r'(#?[\w".]+)'
    match = re.fullmatch(
        rf"CREATE\s+(TEMP\s+|TEMPORARY\s+)?TABLE\s+(IF\s+NOT\s+EXISTS\s+)?{name}\s*"
        rf"\(\s*LIKE\s+{name}(?:\s+(?:INCLUDING|EXCLUDING)\s+DEFAULTS)?\s*\)",
        text,
        re.IGNORECASE,
    )
    if not match:
        return None
    temporary, exists, made, model = match.groups()
    is_temporary = bool(temporary) or made.startswith("#")
    return CreateTable(Table.parse(made.lstrip("#")), (), Table.parse(model), is_temporary, bool(exists))


def table_of(node: exp.Expression) -> Table:
    """The table that an AST node names; SqlError if it names none."""
    if not isinstance(node, exp.Table):
        raise SqlError(f'syntax error at or near "{node.sql(dialect="redshift")[:100]}"')
    return Table(node.db.lower() or None, node.name.lstrip("#").lower())


def _alter(statement: exp.Expression) -> Plan:
    actions = statement.args["actions"]
    if str(statement.args["kind"]).upper() != "TABLE" or len(actions) != 1:
        raise unsupported(statement)
    table, action = table_of(statement.this), actions[0]
    if isinstance(action, exp.ColumnDef):
        return ChangeColumn(table, column(action), is_new=True)
    kind = action.args.get("dtype") if isinstance(action, exp.AlterColumn) else None
    if kind is not None and kind.this.name == "VARCHAR":
        return ChangeColumn(table, Column(action.name.lower(), "VARCHAR", length_of(kind)), is_new=False)
    if isinstance(action, exp.AlterRename | exp.RenameColumn | exp.Drop):
        return Query(duckdb_sql(statement))
    raise unsupported(statement)


def _truncate(statement: exp.Expression) -> Truncate:
    return Truncate(table_of(statement.expressions[0]))


# ---- commands


def _command(statement: exp.Expression) -> Nothing:
    word = str(statement.this).upper()
    if word == "LOCK":
        names = re.sub(r"^\s*TABLE\b", "", str(statement.expression.name), flags=re.IGNORECASE).split(",")
        return Nothing(tuple(Table.parse(name.strip()) for name in names))
    if word in IGNORED_COMMANDS:
        return Nothing()
    raise unsupported(statement)


def _privileges(statement: exp.Expression) -> Privileges | Nothing:
    """Privileges on a table or view; those on schemas and databases have no effect."""
    if str(statement.args["kind"] or "TABLE").upper() not in ("TABLE", "VIEW"):
        return Nothing()
    dialect = {"dialect": "redshift"}
    return Privileges(
        table_of(statement.args["securable"]),
        tuple(word.sql(**dialect).upper() for word in statement.args["privileges"]),
        tuple(Identity.parse(principal.sql(**dialect)) for principal in statement.args["principals"]),
        bool(statement.args.get("grant_option")),
        isinstance(statement, exp.Revoke),
    )


def _set(statement: exp.Expression) -> Nothing:
    names = {item.this.this.name.lower() for item in statement.expressions if isinstance(item.this, exp.EQ)}
    if names and names <= IGNORED_SETTINGS:
        return Nothing()
    raise unsupported(statement)


def _transaction(statement: exp.Expression) -> Plan:
    raise SqlError(f"{statement.sql(dialect='redshift')} is not allowed in the Data API: a batch is one transaction")


COPY = re.compile(
    r"""COPY\s+(?P<table>[\w."#]+)\s*(?:\((?P<columns>[^)]*)\)\s*)?FROM\s+'(?P<uri>[^']*)'\s*(?P<rest>.*)""",
    re.IGNORECASE | re.DOTALL,
)


def _copy(text: str) -> Copy:
    """Parses COPY without sqlglot, which pairs up the words of its options incorrectly."""
    match = COPY.fullmatch(text)
    if not match:
        raise SqlError(f'syntax error at or near "COPY": {text[:200]}')
    options = _options(match["rest"])
    role = options.pop("IAM_ROLE", None)
    if role is None:
        raise SqlError("COPY: IAM_ROLE is required here")
    columns = tuple(name.strip().strip('"') for name in (match["columns"] or "").split(",") if name.strip())
    return Copy(Table.parse(match["table"].lstrip("#")), columns, match["uri"], role, options)


def _options(text: str) -> dict[str, str]:
    """`IAM_ROLE 'x' FORMAT AS PARQUET MANIFEST` → {"IAM_ROLE": "x", "FORMAT": "PARQUET", "MANIFEST": ""}."""
    words = iter([token.text for token in Redshift().tokenize(text)])
    options: dict[str, str] = {}
    for word in words:
        name = word.upper()
        following = next(words, "") if name in ("IAM_ROLE", "FORMAT") else ""
        if name == "FORMAT" and following.upper() == "AS":
            following = next(words, "")
        options[name] = following
    return options


ROWS: Final = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)
PLANS: Final[Mapping[type[exp.Expression] | tuple[type[exp.Expression], ...], Callable[[Any], Plan]]] = {
    ROWS: _query("rows"),
    exp.Insert: _insert,
    (exp.Update, exp.Delete, exp.Merge): _query("count"),
    exp.Drop: _drop,
    exp.Comment: _query(""),
    exp.Create: _create,
    exp.Alter: _alter,
    exp.TruncateTable: _truncate,
    (exp.Transaction, exp.Commit, exp.Rollback): _transaction,
    exp.Analyze: lambda _: Nothing(),
    exp.Set: _set,
    exp.Command: _command,
    exp.Grant: _privileges,
    exp.Revoke: _privileges,
}
