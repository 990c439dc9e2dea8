"""Redshift's documented grammar, as far as the product's statements use it. Whatever else a statement has is an error.

sqlglot parses a statement more freely than Redshift does: it takes reserved words as names, and unknown options and
types. So each form here follows the synopsis of one page of Redshift's documentation (docs/aws-facts.md#redshifts-sql),
and sqlglot only checks what a form leaves open, the queries and conditions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from sqlglot import exp, parse
from sqlglot.errors import ErrorLevel, SqlglotError

from local.redshift.dialect import Dialect

NAME_BYTES_MAX = 127
TEXT_BYTES_MAX = 65_535
DIGITS_MAX, SCALE_MAX = 38, 37
STATEMENTS_MAX = 40
BYTES_MAX = 100_000

#: The page "Reserved words"; they may be names in double quotes only.
_RESERVED = """
aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between binary
blanksasnull both bytedict bzip2 case cast check collate column constraint create credentials cross current_date
current_time current_timestamp current_user current_user_id default deferrable deflate defrag delta delta32k desc
disable distinct do else emptyasnull enable encode encrypt encryption end except explicit false for foreign freeze
from full globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner intersect
interval into is isnull join leading left like limit localtime localtimestamp lun luns lzo lzop minus mostly16
mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer overlaps
parallel partition percent permissions pivot placing primary raw readratio recover references rejectlog resort
respect restore right select session_user similar snapshot some sysdate system table tag tdes text255 text32k then
timestamp to top trailing true truncatecolumns union unique unnest unpivot user using verbose wallet when where
with without
"""
RESERVED = frozenset(_RESERVED.split())
#: The page "Names and identifiers": columns that every table has.
SYSTEM_COLUMNS = frozenset({"oid", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
#: Clauses and functions of the queries, each documented on a page of its own.
QUERY_WORDS = re.compile(
    "ALL|AND|AS|BY|CAST|COUNT|DESC|DISTINCT|EXISTS|FROM|GETDATE|GROUP|JOIN|LAST|LEFT|NOT|NULLIF|NULLS|ON|ORDER|OVER"
    "|PARTITION|ROW_NUMBER|SELECT|SUM|UNION|WHERE|BIGINT|DECIMAL|DOUBLE|PRECISION|VARCHAR"
)

_NAME = r'(?:[a-z_][a-z0-9_]*|"[^"]+")'
_TABLE = rf"{_NAME}(?:\.{_NAME})?"
_TYPE = r"(?:VARCHAR\(\d+\)|DECIMAL\(\d+,\d+\)|INTEGER|BIGINT|DOUBLE PRECISION|BOOLEAN|DATE|TIMESTAMP)"
_COLUMN = rf"{_NAME} {_TYPE}(?: NOT NULL)?"
_NAMES = rf"\({_NAME}(?:, {_NAME})*\)"
#: What remains of a statement is a query, or a condition.
_QUERY, _CONDITION = r"(?P<query>SELECT .+)", r"(?P<condition>.+)"

#: Page → the form of its statement, as the product uses it.
FORMS = {
    "r_LOCK": rf"LOCK {_TABLE}(?:, {_TABLE})*",
    "r_CREATE_SCHEMA": rf"CREATE SCHEMA IF NOT EXISTS {_NAME}",
    "r_CREATE_TABLE_NEW": (
        rf"CREATE (?:TEMP )?TABLE (?:IF NOT EXISTS )?{_TABLE} \({_COLUMN}(?:, {_COLUMN})*\)"
        rf"(?: DISTSTYLE (?:AUTO|EVEN|ALL))?(?: DISTKEY \({_NAME}\))?(?: SORTKEY {_NAMES})?"
    ),
    "r_CREATE_TABLE_AS": rf"CREATE TEMP TABLE {_TABLE} AS {_QUERY}",
    "r_ALTER_TABLE": rf"ALTER TABLE {_TABLE} ADD COLUMN {_NAME} {_TYPE}",
    "r_DROP_VIEW": rf"DROP VIEW IF EXISTS {_TABLE}",
    "r_CREATE_VIEW": rf"CREATE (?:OR REPLACE )?VIEW {_TABLE} AS {_QUERY}",
    "r_DELETE": rf"DELETE FROM {_TABLE}(?: USING {_TABLE}(?: AS {_NAME})?)? WHERE {_CONDITION}",
    "r_INSERT_30": rf"INSERT INTO {_TABLE} {_NAMES} {_QUERY}",
    "r_SELECT_synopsis": _QUERY,
    # Of its options, columnar formats take ACCEPTINVCHARS, FILLRECORD, STATUPDATE, MANIFEST and EXPLICIT_IDS.
    "copy-usage_notes-copy-from-columnar": (
        rf"COPY {_TABLE} FROM 's3://[^']+' IAM_ROLE 'arn:[^']+' FORMAT AS PARQUET(?: MANIFEST)?"
    ),
}
_TOKEN = re.compile(
    r"""(?P<text>'[^']*')|"(?P<quoted>[^"]*)"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|[0-9]+|[(),.=>*/]|\s""", re.ASCII
)


@cache
def faults(statement: str) -> tuple[str, ...]:
    """What Redshift's documentation does not have in this statement; empty if it may be sent."""
    return tuple(_faults(statement))


def batch_faults(statements: Sequence[str]) -> list[str]:
    """The same for the statements of one BatchExecuteStatement (docs/aws-facts.md#redshift-data-api)."""
    size = sum(len(statement.encode()) for statement in statements)
    found = [] if 1 <= len(statements) <= STATEMENTS_MAX else [f"{len(statements)} statements in a batch"]
    found += [f"{size} bytes in a batch"] if size > BYTES_MAX else []
    return found + [fault for statement in statements for fault in faults(statement)]


def _faults(statement: str) -> Iterator[str]:
    yield from _word_faults(statement)
    yield from _type_faults(statement)
    matches = [match for form in FORMS.values() if (match := re.fullmatch(form, statement, re.DOTALL))]
    if not matches:
        yield f"no documented form: {statement[:80]}"
    for match in matches[:1]:
        left = match.groupdict()
        if query := left.get("query") or left.get("condition"):
            yield from _query_faults(query if left.get("query") else f"SELECT a FROM t WHERE {query}")


def _word_faults(statement: str) -> Iterator[str]:
    place = 0
    while place < len(statement):
        token = _TOKEN.match(statement, place)
        if token is None:
            yield f"unexpected {statement[place : place + 20]!r}"
            return
        place = token.end()
        if token["quoted"] is not None:
            yield from _name_faults(token["quoted"])
        elif token["word"] and not token["word"].isupper():
            yield from _plain_name_faults(token["word"])


def _name_faults(name: str) -> Iterator[str]:
    if not 1 <= len(name.encode()) <= NAME_BYTES_MAX:
        yield f"a name of {len(name.encode())} bytes"
    if name.lower() in SYSTEM_COLUMNS:
        yield f"a column that each table has: {name}"
    if not name.isprintable() or name != name.lower():
        yield f"a name that Redshift changes or refuses: {name!r}"


def _plain_name_faults(name: str) -> Iterator[str]:
    yield from _name_faults(name)
    if name.lower() in RESERVED:
        yield f"a reserved word without quotes: {name}"


def _type_faults(statement: str) -> Iterator[str]:
    plain = re.sub(r"""'[^']*'|"[^"]*\"""", "", statement)
    for length in map(int, re.findall(r"\bVARCHAR\((\d+)\)", plain)):
        if not 1 <= length <= TEXT_BYTES_MAX:
            yield f"VARCHAR({length})"
    for precision, scale in re.findall(r"\bDECIMAL\((\d+),(\d+)\)", plain):
        if not 1 <= int(precision) <= DIGITS_MAX or int(scale) > min(int(precision), SCALE_MAX):
            yield f"DECIMAL({precision},{scale})"


def _query_faults(query: str) -> Iterator[str]:
    plain = re.sub(r"""'[^']*'|"[^"]*\"""", "", query)
    for word in re.findall(r"\b[A-Z][A-Z0-9_]*\b", plain):
        if not QUERY_WORDS.fullmatch(word):
            yield f"a word that no form has: {word}"
    if not _is_query(query):
        yield f"not a query: {query[:80]}"


def _is_query(text: str) -> bool:
    try:
        parsed = parse(text, read=Dialect, error_level=ErrorLevel.RAISE)
    except SqlglotError:
        return False
    return len(parsed) == 1 and isinstance(parsed[0], exp.Query)
