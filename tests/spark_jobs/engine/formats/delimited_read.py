"""Delimited text, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spark_jobs.engine.formats.delimited import DelimitedReader
from tests.spark_jobs.reading import Read, sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field, Format

CSV = Format("csv")


BARE = Format("csv", header=False)


def field(name: str, type_: str = "string(64)", *, required: bool = False, source: str = "") -> Field:
    return Field(name, ColumnType.parse(type_), required, source)


FIELDS = (field("id", required=True), field("n", "int"), field("note", "string(4096)"))


def read(body: bytes | Iterable[bytes], fields: tuple[Field, ...] = FIELDS, format_: Format = CSV) -> Read:
    """Rows without what is null, rejected records and the file's end."""
    rows, rejected, end = sorted_out(DelimitedReader(format_, fields), body)
    return [{name: value for name, value in row.items() if value is not None} for row in rows], rejected, end


def reasons(body: bytes, fields: tuple[Field, ...] = FIELDS, format_: Format = CSV) -> list[tuple[int, str]]:
    return [(record.line, record.reason) for record in read(body, fields, format_)[1]]


def ids(body: bytes, format_: Format = CSV) -> list[str]:
    return [row["id"] for row in read(body, FIELDS, format_)[0]]


def value(type_: str, text: str) -> Any:
    """What one field becomes, or the reason why it does not."""
    rows, rejected, _ = read(f"x\n{text}\n".encode(), (field("x", type_),))
    return rows[0].get("x") if rows else rejected[0].reason.removeprefix("x: ")
