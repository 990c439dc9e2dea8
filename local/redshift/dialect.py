"""sqlglot's Redshift dialect, with its gaps filled, and the translation of expressions and columns to DuckDB."""

import re
from typing import Any, ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import ErrorLevel, UnsupportedError
from sqlglot.parsers.redshift import RedshiftParser

from local.redshift.privileges import STORE as PRIVILEGES_STORE
from local.redshift.privileges import VIEW as PRIVILEGES
from local.redshift.tables import Column, SqlError

LONGEST_VARCHAR: Final = 65535
TABLE_FUNCTIONS: Final = {"RANGE", "GENERATE_SERIES", "EXPLODING_GENERATE_SERIES", "UNNEST"}  # which only generate rows
DEFAULT_LENGTHS: Final = {"VARCHAR": 256, "TEXT": 256, "NVARCHAR": 256, "CHAR": 1, "NCHAR": 1, "BPCHAR": 256}
MACROS: Final = (  # SQL functions that DuckDB lacks; stored in the database so that views can use them
    "CREATE MACRO IF NOT EXISTS main.redshift_getdate() AS date_trunc('second', now() AT TIME ZONE 'UTC')",
    "CREATE MACRO IF NOT EXISTS main.redshift_varchar(x, n) AS CASE WHEN strlen(x::VARCHAR) <= n THEN x::VARCHAR "
    "ELSE coalesce(" + ", ".join(f"try(decode(encode(x::VARCHAR)[1:n - {less}]))" for less in range(4)) + ") END",
)


def _sort_key(parser: Any, **_: Any) -> exp.SortKeyProperty:
    """`[COMPOUND | INTERLEAVED] SORTKEY (…)` and `SORTKEY AUTO`; sqlglot has no public API to parse them."""
    parser._match_text_seq("SORTKEY")  # noqa: SLF001
    keys = [] if parser._match_text_seq("AUTO") else parser._parse_wrapped_id_vars()  # noqa: SLF001
    return exp.SortKeyProperty(this=keys, compound=False)


class _Parser(RedshiftParser):
    """Redshift's grammar, including what sqlglot omits."""

    FUNCTIONS: ClassVar[Any] = {
        **RedshiftParser.FUNCTIONS,
        "GETDATE": lambda args: exp.Anonymous(this="main.redshift_getdate", expressions=args),
    }
    PROPERTY_PARSERS: ClassVar[Any] = {
        **RedshiftParser.PROPERTY_PARSERS,
        "SORTKEY": _sort_key,
        "COMPOUND": _sort_key,
        "INTERLEAVED": _sort_key,
    }
    CONSTRAINT_PARSERS: ClassVar[Any] = {
        **RedshiftParser.CONSTRAINT_PARSERS,
        "DISTKEY": lambda _: exp.EncodeColumnConstraint(this=exp.var("DISTKEY")),
        "SORTKEY": lambda _: exp.EncodeColumnConstraint(this=exp.var("SORTKEY")),
    }


class Dialect(Redshift):
    Parser = _Parser


def unsupported(statement: exp.Expression, why: str = "") -> SqlError:
    words = statement.sql(dialect="redshift")[:200]
    return SqlError(f"not supported by the local warehouse: {words}{f' ({why})' if why else ''}")


def refuse_sources(statement: exp.Expression) -> None:
    """Raises SqlError for a table function, or for a file's name used as a table.

    Redshift has almost no table functions; those of DuckDB read files, run text as SQL, or change settings.
    """
    for relation in statement.find_all(exp.Table, exp.Lateral, exp.TableFromRows):
        source = relation.this
        if isinstance(source, exp.Func) and _name_of(source) not in TABLE_FUNCTIONS:
            raise SqlError(f"function {_name_of(source).lower()} cannot be used as a table in the local warehouse")
        if isinstance(source, exp.Identifier) and re.search(r"[/\\:*?]", source.name):
            raise SqlError(f'relation "{source.name}" does not exist')


def _name_of(function: exp.Func) -> str:
    return function.name.upper() if isinstance(function, exp.Anonymous) else function.sql_name()


def duckdb_sql(statement: exp.Expression) -> str:
    """The statement as DuckDB SQL, table DDL excepted; SqlError if sqlglot cannot express it."""
    try:
        return statement.transform(_rewrite).sql(dialect="duckdb", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise unsupported(statement, str(error)) from error


def _rewrite(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Cast) and node.to.this.name in DEFAULT_LENGTHS:
        return exp.Anonymous(
            this="main.redshift_varchar", expressions=[node.this, exp.Literal.number(length_of(node.to))]
        )
    if isinstance(node, exp.DataType):
        return type_of(node)
    if isinstance(node, exp.Anonymous) and node.name.upper() == "OCTET_LENGTH":
        return exp.Anonymous(this="strlen", expressions=node.expressions)
    if isinstance(node, exp.Identifier) and node.name.startswith("#"):
        return exp.to_identifier(node.name.lstrip("#"), quoted=node.quoted)
    if isinstance(node, exp.Table) and node.name.lower() == PRIVILEGES and node.db in ("", "pg_catalog"):
        return exp.to_table(PRIVILEGES_STORE, alias=node.alias or PRIVILEGES)
    if isinstance(node, exp.Insert) and isinstance(node.this, exp.Tuple):
        return _merge_insert(node)
    return node


def _merge_insert(node: exp.Insert) -> exp.Expression:
    """Repairs MERGE's `INSERT VALUES (…)` without columns: sqlglot parses VALUES as a function among columns."""
    first = node.this.expressions[0]
    if not (isinstance(first, exp.Anonymous) and first.name.upper() == "VALUES"):
        return node
    return exp.Insert(expression=exp.Tuple(expressions=first.expressions))


def column(node: exp.ColumnDef) -> Column:
    required, default = False, None
    for constraint in node.constraints:
        match constraint.kind:
            case exp.NotNullColumnConstraint() as not_null:
                required = not not_null.args.get("allow_null")
            case exp.PrimaryKeyColumnConstraint():
                required = True
            case exp.DefaultColumnConstraint() as default_value:
                default = duckdb_sql(default_value.this)
            case exp.EncodeColumnConstraint() | exp.UniqueColumnConstraint():
                pass
            case other:
                raise unsupported(node, other.sql(dialect="redshift"))
    kind = node.args.get("kind")
    if kind is None:
        raise unsupported(node, "a column without a type")
    length = length_of(kind) if kind.this.name in DEFAULT_LENGTHS else None
    text = "VARCHAR" if length else type_of(kind).sql(dialect="duckdb")
    return Column(node.name.lower(), text, length, required, default)


def length_of(kind: exp.DataType) -> int:
    """The maximum bytes of a text type, or Redshift's default if the type has no length."""
    if not kind.expressions:
        return DEFAULT_LENGTHS[kind.this.name]
    text = kind.expressions[0].name.upper()
    length = LONGEST_VARCHAR if text == "MAX" else int(text)
    if not 1 <= length <= LONGEST_VARCHAR:
        raise SqlError(f"length for type character varying must be between 1 and {LONGEST_VARCHAR}")
    return length


def type_of(kind: exp.DataType) -> exp.DataType:
    """DuckDB's type, without the length of texts, which `Column` keeps."""
    name = kind.this.name
    if name in DEFAULT_LENGTHS:
        return exp.DataType(this=exp.DataType.Type.VARCHAR)
    if name == "SUPER":
        return exp.DataType(this=exp.DataType.Type.JSON)
    if name == "DECIMAL" and not kind.expressions:
        return exp.DataType.build("DECIMAL(18, 0)")
    return kind
