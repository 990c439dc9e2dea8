"""Columns of Parquet and ORC, and what becomes of them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

from spark_jobs.engine.formats.columnar import ColumnarReader
from tests.spark_jobs.reading import Read, sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field


def field(name: str, type_: str, *, required: bool = False, source: str = "") -> Field:
    return Field(name, ColumnType.parse(type_), required, source)


ID = field("id", "bigint", required=True)


MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink, **options)
    return sink.getvalue()


def orc(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pa.orc.write_table(table, sink, **options)
    return sink.getvalue()


def read(body: bytes | Iterable[bytes], *fields: Field, type_: str = "parquet") -> Read:
    return sorted_out(ColumnarReader(type_, fields), body)


def column(values: pa.Array, type_: str, *, format_: str = "parquet") -> list[Any]:
    """What a column becomes: by row the value, or the reason why it does not fit."""
    body = (parquet if format_ == "parquet" else orc)(pa.table({"id": range(len(values)), "x": values}))
    rows, rejected, _ = read(body, ID, field("x", type_), type_=format_)
    found = {row["id"]: row["x"] for row in rows}
    found |= {record.position: record.reason.removeprefix("x: ") for record in rejected}
    return [found[row] for row in range(len(values))]
