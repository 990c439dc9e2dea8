"""A manifest's file versions as one DataFrame: valid records, rejected records, and one end row per file.

A few balanced tasks fetch their objects themselves and pass them to Spark as Arrow batches, never as Python rows.
Columns: the record's fields, then
    _rescued   string   the record's undeclared fields, as JSON
    _source    int      index of the file in the manifest
    _ordinal   bigint   number of the valid record in its file, from 0
    _rejected  struct   position, line, reason, raw; only for a rejected record
    _end       struct   bytes, problem; in exactly one row for each file
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional, Union, get_type_hints

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.engine import s3_objects
from spark_jobs.engine.formats import FileReader, reader_for
from spark_jobs.engine.formats.bounds import bounded
from spark_jobs.engine.formats.columns import record_schema, schema_of
from spark_jobs.engine.formats.key_fields import key_values
from spark_jobs.engine.formats.records import End
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import RESCUED, Field, Format
from tidemark.core.dataset import Column as Declared
from tidemark.core.files import FileVersion
from tidemark.core.job import Rejected

ROWS = 8_192  # maximum per Arrow batch
#: The cost of one request, in bytes that could be read in the same time.
REQUEST_BYTES = 256 << 10
TASK_BYTES_MIN, TASK_BYTES_MAX = 4 << 20, 64 << 20
Task = list[tuple[int, FileVersion]]  # files with their index in the manifest

_BIGINT, _STRING = ColumnType.parse("bigint"), ColumnType.parse("string")
_PLAIN = (Declared("_source", ColumnType.parse("int")), Declared("_ordinal", _BIGINT))
_TYPES: Mapping[object, ColumnType] = {int: _BIGINT, str: _STRING, Optional[str]: _STRING}


def _fields_of(shape: type) -> list[Declared]:
    return [Declared(name, _TYPES[type_]) for name, type_ in get_type_hints(shape).items()]


#: Columns of structs, by name.
_STRUCTS = {"_rejected": _fields_of(Rejected), "_end": _fields_of(End)}
_EXTRA = pa.schema([*schema_of(_PLAIN), *((name, pa.struct(schema_of(fields))) for name, fields in _STRUCTS.items())])


def ddl(columns: Iterable[Union[Declared, Field]]) -> str:
    """Columns with their types, as Spark's DDL lists them."""
    return ", ".join(f"`{column.name}` {column.type.spark}" for column in columns)


def read(spark: SparkSession, files: Sequence[FileVersion], fields: Sequence[Field], format_: Format) -> DataFrame:
    """All records of the files; the module's docstring lists the columns."""
    fields = tuple(fields)
    return in_tasks(spark, files, lambda task: read_batches(task, fields, format_), frame_ddl(fields))


def frame_ddl(fields: Sequence[Field]) -> str:
    """The columns of the frame, as Spark's DDL lists them."""
    structs = (f"{name} struct<{ddl(columns)}>" for name, columns in _STRUCTS.items())
    return ", ".join([ddl([*fields, RESCUED, *_PLAIN]), *structs])


def in_tasks(
    spark: SparkSession,
    files: Sequence[FileVersion],
    read_task: Callable[[Task], Iterator[pa.RecordBatch]],
    schema: str,
) -> DataFrame:
    """The batches of `read_task`, which runs on the files in a few balanced tasks; `schema` is Spark DDL."""
    tasks = packed(files, spark.sparkContext.defaultParallelism)

    def read_tasks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.column(0).to_pylist():
                yield from read_task(tasks[task])

    return spark.range(0, len(tasks), 1, len(tasks)).mapInArrow(read_tasks, schema)


def packed(files: Sequence[FileVersion], parallelism: int) -> list[Task]:
    """The files with their indexes, largest first, in as few balanced groups as keep all cores busy."""
    total = sum(_weight(file) for file in files)
    tasks = max(math.ceil(total / TASK_BYTES_MAX), min(2 * parallelism, math.ceil(total / TASK_BYTES_MIN)))
    groups: list[Task] = [[] for _ in range(max(1, min(tasks, len(files))))]
    loads = [(0, group) for group in range(len(groups))]
    for index, file in sorted(enumerate(files), key=lambda numbered: -numbered[1].size):
        load, group = heapq.heappop(loads)
        groups[group].append((index, file))
        heapq.heappush(loads, (load + _weight(file), group))
    return groups


def _weight(file: FileVersion) -> int:
    return file.size + REQUEST_BYTES


def read_batches(
    files: Iterable[tuple[int, FileVersion]], fields: Sequence[Field], format_: Format
) -> Iterator[pa.RecordBatch]:
    """The Arrow batches of one task's files; a `ReadError` names a file that cannot be handled."""
    reader, in_key = reader_for(format_, fields), [field for field in fields if field.from_key]
    schema = pa.schema([*record_schema(fields), *_EXTRA])
    held: list[pa.Table] = []
    for index, file, parts in s3_objects.fetch(files):
        for table in _naming(file, _file_tables(reader, index, parts, in_key, file.key)):
            held.append(table)
            if sum(part.num_rows for part in held) >= ROWS:
                yield from _batches(held, schema)
                held = []
    if held:
        yield from _batches(held, schema)


def _naming(file: FileVersion, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The tables; any error while producing them becomes a `ReadError` that names the file."""
    try:
        yield from tables
    except s3_objects.ReadError:
        raise
    except Exception as error:
        kind = "small" if isinstance(error, MemoryError) else "file"
        raise s3_objects.ReadError(kind, file, f"{type(error).__name__}: {error}") from error


def _file_tables(
    reader: FileReader, index: int, parts: Iterable[bytes], in_key: Sequence[Field], key: str
) -> Iterator[pa.Table]:
    ordinal, shared = 0, key_values(in_key, key)
    for piece in bounded(reader.read(parts)):
        if isinstance(piece, pa.Table):
            ordinals = pa.array(np.arange(ordinal, ordinal + piece.num_rows))
            constant = {name: pa.repeat(value, piece.num_rows) for name, value in shared.items()}
            yield _widened(piece, index, piece.num_rows, _ordinal=ordinals, **constant)
            ordinal += piece.num_rows
        elif isinstance(piece, End):
            yield _widened(None, index, 1, _end=_structs("_end", [piece]))
        else:
            yield _widened(None, index, len(piece), _rejected=_structs("_rejected", piece))


def _widened(table: Any, index: int, rows: int, **given: pa.Array) -> pa.Table:
    extra = {"_source": pa.repeat(pa.scalar(index, _EXTRA.field("_source").type), rows), **given}
    columns = dict(zip(table.column_names, table.columns)) if table is not None else {}
    return pa.table({**columns, **extra})


def _structs(name: str, values: Sequence[Rejected | End]) -> pa.Array:
    return pa.array([value._asdict() for value in values], _EXTRA.field(name).type)


def _batches(tables: Sequence[pa.Table], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    full = [
        pa.table(
            [t[f.name] if f.name in t.column_names else pa.nulls(t.num_rows, f.type) for f in schema], schema=schema
        )
        for t in tables
    ]
    yield from pa.concat_tables(full).combine_chunks().to_batches(max_chunksize=ROWS)


def file_name(files: Sequence[FileVersion]) -> Column:
    """The URI (s3://bucket/key) of a row's `_source`."""
    return looked_up([file.uri for file in files])


def landed_at(files: Sequence[FileVersion]) -> Column:
    """The time when a row's file landed; null if it is not known."""
    return looked_up([file.landed_at for file in files]).cast("timestamp")


def looked_up(texts: Sequence[Optional[str]]) -> Column:
    """The text at index `_source` of a literal array; a join would cost a Spark job, a text column its bytes."""
    return F.from_json(F.lit(json.dumps(texts)), "array<string>")[F.col("_source")]
