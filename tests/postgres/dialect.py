"""Redshift's statements as PostgreSQL takes them: the few differences that the product uses, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Row = tuple[object, ...]

#: Words that mean the same in both; every other word in capitals is refused.
COMMON = re.compile(
    "ADD|ALL|ALTER|AND|AS|BY|CAST|COLUMN|COUNT|CREATE|DELETE|DESC|DISTINCT|DROP|EXISTS|FROM|GROUP|IF|INSERT|INTO|JOIN"
    "|LAST|LEFT|LOCK|NOT|NULL|NULLIF|NULLS|ON|OR|ORDER|OVER|PARTITION|REPLACE|ROW_NUMBER|SCHEMA|SELECT|SUM|TABLE|TEMP|UNION"
    "|USING|VIEW|WHERE|BIGINT|BOOLEAN|DATE|DECIMAL|DOUBLE|INTEGER|PRECISION|TIMESTAMP|VARCHAR"
)
#: What only Redshift has → the same for PostgreSQL. Where rows are stored changes no result.
OWN = {
    r"(?<=\)) DISTSTYLE (AUTO|ALL)\b": "",
    r' DISTKEY \("\w+"\)': "",
    r' SORTKEY \("?\w+"?(, "\w+")*\)(?=\Z)': "",
    r"\bGETDATE\(\)": "CAST(date_trunc('second', now() AT TIME ZONE 'UTC') AS TIMESTAMP)",
}
_TEXT_OR_NAME = re.compile(r"""'[^']*'|"[^"]*\"""")
_COPY = re.compile(r"""COPY ("_stage_(\w+)") FROM '[^']+' IAM_ROLE '[^']+' FORMAT AS PARQUET MANIFEST""")


class UnknownError(Exception):
    """A statement has something that this module does not map."""


def postgres(statement: str) -> str:
    """The statement for PostgreSQL. Raises `UnknownError` for a word whose meaning there is not known."""
    for word in re.findall(r"\b[A-Z][A-Z0-9_]*\b", _TEXT_OR_NAME.sub("", _mapped(statement, dict.fromkeys(OWN, "")))):
        if not COMMON.fullmatch(word):
            raise UnknownError(f"no mapping for {word} in: {statement}")
    return _mapped(statement, OWN)


def _mapped(statement: str, patterns: Mapping[str, str]) -> str:
    for pattern, instead in patterns.items():
        statement = re.sub(pattern, instead, statement)
    return statement


def copied_table(statement: str) -> str | None:
    """The table whose rows a COPY brings; None for any other statement."""
    match = _COPY.fullmatch(statement)
    return match and match[2]


def inserts(statement: str, rows: Sequence[Row]) -> str:
    """An INSERT of the rows that the COPY brings."""
    match = _COPY.fullmatch(statement)
    assert match
    return f"INSERT INTO {match[1]} VALUES {', '.join(map(_values, rows))}"


def _values(row: Row) -> str:
    return f"({', '.join(map(_literal, row))})"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
