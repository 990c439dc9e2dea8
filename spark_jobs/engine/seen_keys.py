"""Deduplication by key, within a batch and, in a dataset with a `deduplication_window`, across batches.

A batch writes the keys of its kept records as a small table with one text column. The job spec of a later batch lists
these tables; their keys count as earlier than all records of that batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Optional

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from spark_jobs.engine import s3_objects, writer
from spark_jobs.engine.hadoop import FileSystem
from spark_jobs.engine.reader import ddl, in_tasks
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Dataset, Table
from tidemark.core.errors import DeclarationError
from tidemark.core.files import FileVersion, split_uri
from tidemark.core.job import DataFile, DataFiles

ROWS = 65_536  # maximum per Arrow batch
_TABLE = Table("keys", "facts", (Column("key", ColumnType.parse("string")),))


def key_of(dataset: Dataset) -> Optional[str]:
    """The record's deduplication key; all facts tables must share it, since each keeps every record."""
    keys = {table.deduplicate for table in dataset.tables if table.keeps_records}
    fields = {field.name for field in dataset.record}
    if len(keys) > 1 or not keys - {None} <= fields:
        names = ", ".join(sorted(str(key) for key in keys))
        raise DeclarationError(f"expected one field of the record in all facts tables, found {names}", ("deduplicate",))
    return next(iter(keys), None)


def duplicates_marked(frame: DataFrame, key: Optional[str], seen: Optional[DataFrame] = None) -> DataFrame:
    """The frame with `_duplicate`: whether an earlier record, by manifest and file order, has the same key.

    The keys in `seen`, a frame with the column `key`, count as earlier than all records.
    """
    if key is None:
        return frame.withColumn("_duplicate", F.lit(False))
    text = F.col(key).cast("string")
    if seen is not None:
        before = seen.select(F.col("key").alias("_key"), F.lit(-1).alias("_source"))
        frame, text = frame.withColumn("_key", text).unionByName(before, allowMissingColumns=True), F.col("_key")
    # Rejected records have no key; without a unique value, they would all go to one task.
    unique = F.when(text.isNull(), F.struct("_source", "_ordinal", "_rejected.position"))
    earlier = Window.partitionBy(text, unique).orderBy("_source", "_ordinal")
    marked = frame.withColumn("_duplicate", text.isNotNull() & (F.row_number().over(earlier) > 1))
    return marked.where("_source >= 0").drop("_key")


def write(kept: DataFrame, key: str, folder: str, content_bytes: int, system: FileSystem) -> DataFiles:
    """Write the keys of the kept records for later batches; records without a key are omitted."""
    keys = kept.select(F.col(key).cast("string").alias("key")).where("key IS NOT NULL")
    return writer.write_table(keys, _TABLE, folder, content_bytes, system)


def _version_of(file: DataFile) -> FileVersion:
    """A key file as an object to fetch; it needs no version, because it is written once."""
    return FileVersion(*split_uri(file.uri), "", file.bytes)


def read(spark: SparkSession, files: Sequence[DataFile]) -> Optional[DataFrame]:
    """The keys in the files of other batches, as the column `key`; None if there are no files."""
    if not files:
        return None
    return in_tasks(spark, [_version_of(file) for file in files], read_batches, ddl(_TABLE.columns))


def read_batches(files: Iterable[tuple[int, FileVersion]]) -> Iterator[pa.RecordBatch]:
    """The Arrow batches of one task's key files.

    A missing file would let duplicates through, so it is a failure of kind `beyond`, which needs a person.
    """
    try:
        for _, file, parts in s3_objects.fetch(files):
            yield from _decoded(file, b"".join(parts))
    except s3_objects.ReadError as error:
        if error.kind != "file":
            raise
        message = f"expected the keys of a batch, found {error.message} (replay that batch, then this one)"
        raise s3_objects.ReadError("beyond", error.file, message) from error


def _decoded(file: FileVersion, body: bytes) -> Iterator[pa.RecordBatch]:
    try:
        yield from pq.ParquetFile(pa.BufferReader(body)).iter_batches(ROWS, columns=["key"])
    except (pa.ArrowException, OSError) as error:
        raise s3_objects.ReadError("file", file, f"{file.uri}: {error}") from error
