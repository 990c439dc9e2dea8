"""Avro containers, written and read."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import fastavro

from spark_jobs.engine.formats.avro import AvroReader
from tests.spark_jobs.reading import Read, sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field


def field(name: str, type_: str, *, required: bool = False, source: str = "") -> Field:
    return Field(name, ColumnType.parse(type_), required, source)


ID = field("id", "bigint", required=True)


def record(**fields: Any) -> dict[str, Any]:
    """A schema of records with these fields."""
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": type_} for name, type_ in fields.items()]}


def written(schema: dict[str, Any], *records: dict[str, Any], **options: Any) -> bytes:
    """What fastavro writes."""
    sink = io.BytesIO()
    fastavro.writer(sink, schema, records, **options)
    return sink.getvalue()


def container(schema: dict[str, Any], *blocks: tuple[int, bytes], codec: str = "null") -> bytes:
    """A container made by hand, of blocks with their number of records."""
    sink, sync = io.BytesIO(), bytes(range(16))
    sink.write(b"Obj\x01")
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    fastavro.schemaless_writer(sink, {"type": "map", "values": "bytes"}, meta)
    sink.write(sync)
    for records, data in blocks:
        fastavro.schemaless_writer(sink, "long", records)
        fastavro.schemaless_writer(sink, "bytes", data)
        sink.write(sync)
    return sink.getvalue()


def longs(*numbers: int) -> bytes:
    """The longs as encoded in a block."""
    data = io.BytesIO()
    for number in numbers:
        fastavro.schemaless_writer(data, "long", number)
    return data.getvalue()


def read(body: bytes | Iterable[bytes], *fields: Field) -> Read:
    return sorted_out(AvroReader(fields), body)
