"""A published table as of a nightly attempt's snapshot: the snapshot's Parquet files as one DataFrame.

As in the reader of raw files, a few balanced tasks fetch the files themselves, without a catalog or Hadoop. A task
holds one file's bytes and a few thousand of its rows at a time, and drops rows of other days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.engine import s3_objects
from spark_jobs.engine.formats.columns import schema_of
from spark_jobs.engine.reader import ddl, in_tasks
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column
from tidemark.core.errors import Unbalanced
from tidemark.core.files import FileVersion
from tidemark.core.manifest import Input

ROWS = 8_192  # maximum per Arrow batch
#: Null in the table's rows; one additional row per file has the file's number of rows, of all days.
_COUNT = "_rows"


def read(spark: SparkSession, source: Input) -> tuple[DataFrame, int]:
    """The table's declared columns for the requested days, and the number of rows of all days in its files.

    Rows of an additive table are summed by their keys. Reads every file once before it returns, and raises `Unbalanced`
    unless the number of rows is that of the snapshot.
    """
    files = [FileVersion(file.bucket, file.key, "", file.size) for file in source.files]
    schema = ddl(_columns(source))
    frame = in_tasks(spark, files, lambda task: read_batches(task, source), schema)
    frame = frame.persist(StorageLevel.MEMORY_AND_DISK)  # a job with several tables reads its input only once
    ends = frame.agg(F.count(_COUNT).alias("files"), F.coalesce(F.sum(_COUNT), F.lit(0)).alias("rows")).collect()[0]
    _equal(f"files of {source.table}", len(files), ends["files"])
    _equal(f"rows of {source.table}", source.rows, ends["rows"])
    rows = frame.where(F.col(_COUNT).isNull()).drop(_COUNT)
    return (_summed(rows, source) if source.sums else rows), ends["rows"]


def _columns(source: Input) -> list[Column]:
    return [*source.columns, Column(_COUNT, ColumnType.parse("bigint"))]


def _equal(what: str, expected: int, actual: int) -> None:
    if expected != actual:
        raise Unbalanced(f"{what}: expected {expected}, found {actual}")


def _summed(rows: DataFrame, source: Input) -> DataFrame:
    names = [column.name for column in source.columns]
    keys = [name for name in names if name not in source.sums]
    # A sum may not fit its column's type, so it keeps the wider type that Spark gives it.
    return rows.groupBy(*keys).agg(*(F.sum(name).alias(name) for name in source.sums)).select(*names)


def read_batches(files: Iterable[tuple[int, FileVersion]], source: Input) -> Iterator[pa.RecordBatch]:
    """The Arrow batches of one task's files; each file's rows are followed by a row with their number."""
    schema = schema_of(_columns(source))
    try:
        for _, file, parts in s3_objects.fetch(files):
            rows = 0
            for batch in _decoded(file, b"".join(parts), schema):
                rows += batch.num_rows
                yield _of_days(batch, source)
            yield _row(schema, rows)
    except s3_objects.ReadError as error:
        # Kind "file" would make the batch go on without the file, but a table without one of its files is incomplete.
        kind = "unknown" if error.kind == "file" else error.kind
        raise s3_objects.ReadError(kind, error.file, error.message) from error


def _decoded(file: FileVersion, body: bytes, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The file's rows in the given schema: columns by name, and null for missing columns."""
    try:
        parquet = pq.ParquetFile(pa.BufferReader(body))
        names = [name for name in schema.names if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(ROWS, columns=names):
            columns = dict(zip(names, batch.columns))
            yield pa.record_batch([_column(columns, field, batch.num_rows) for field in schema], schema=schema)
    except (pa.ArrowException, OSError) as error:
        raise s3_objects.ReadError("unknown", file, f"{file.uri}: {type(error).__name__}: {error}") from error


def _column(columns: dict[str, pa.Array], field: pa.Field, rows: int) -> pa.Array:
    return columns[field.name].cast(field.type) if field.name in columns else pa.nulls(rows, field.type)


def _of_days(batch: pa.RecordBatch, source: Input) -> pa.RecordBatch:
    if source.days is None or source.day is None:
        return batch
    start, end = (pa.scalar(day, pa.date32()) for day in source.days)
    day = batch.column(batch.schema.get_field_index(source.day))
    return batch.filter(pc.and_(pc.greater_equal(day, start), pc.less(day, end)))


def _row(schema: pa.Schema, rows: int) -> pa.RecordBatch:
    return pa.record_batch(
        [pa.array([rows if field.name == _COUNT else None], field.type) for field in schema], schema=schema
    )
