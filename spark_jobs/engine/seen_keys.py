"""Keys that are kept once: within the batch, and among all batches where the dataset remembers them.

A batch leaves the keys of the records it kept as one small table, a column of text. The job spec of a later batch names
such tables; their keys count as records that came before the batch's own.
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

ROWS = 65_536  # per Arrow batch at most
_TABLE = Table("keys", "facts", (Column("key", ColumnType.parse("string")),))


def key_of(dataset: Dataset) -> Optional[str]:
    """The record's field that is kept once; all facts share it, since each keeps every record."""
    keys = {table.deduplicate for table in dataset.tables if table.keeps_records}
    fields = {field.name for field in dataset.record}
    if len(keys) > 1 or not keys - {None} <= fields:
        names = ", ".join(sorted(str(key) for key in keys))
        raise DeclarationError(
            f"expected one field of the record in all tables of facts, found {names}", ("deduplicate",)
        )
    return next(iter(keys), None)


def duplicates_marked(frame: DataFrame, key: Optional[str], seen: Optional[DataFrame] = None) -> DataFrame:
    """The frame with `_duplicate`: a good record whose key an earlier one has, by order of manifest and file.

    Whatever is in `seen`, a frame with the column `key`, came earlier than every record.
    """
    if key is None:
        return frame.withColumn("_duplicate", F.lit(False))
    text = F.col(key).cast("string")
    if seen is not None:
        before = seen.select(F.col("key").alias("_key"), F.lit(-1).alias("_source"))
        frame, text = frame.withColumn("_key", text).unionByName(before, allowMissingColumns=True), F.col("_key")
    # Rejected records have no key; without something of their own they would all meet in one task.
    alone = F.when(text.isNull(), F.struct("_source", "_ordinal", "_rejected.position"))
    earlier = Window.partitionBy(text, alone).orderBy("_source", "_ordinal")
    marked = frame.withColumn("_duplicate", text.isNotNull() & (F.row_number().over(earlier) > 1))
    return marked.where("_source >= 0").drop("_key")


def write(kept: DataFrame, key: str, folder: str, content_bytes: int, system: FileSystem) -> DataFiles:
    """The keys of the records kept, for the batches to come. A record without a key is not remembered."""
    keys = kept.select(F.col(key).cast("string").alias("key")).where("key IS NOT NULL")
    return writer.write_table(keys, _TABLE, folder, content_bytes, system)


def _version_of(file: DataFile) -> FileVersion:
    """A key file as the object to fetch; it was written once, so it needs no version."""
    return FileVersion(*split_uri(file.uri), "", file.bytes)


def read(spark: SparkSession, files: Sequence[DataFile]) -> Optional[DataFrame]:
    """The keys in the files of other batches, as the column `key`; None without a file."""
    if not files:
        return None
    return in_tasks(spark, [_version_of(file) for file in files], read_batches, ddl(_TABLE.columns))


def read_batches(files: Iterable[tuple[int, FileVersion]]) -> Iterator[pa.RecordBatch]:
    """What one task does. Without one of the files keys would come twice, so the error asks for a person."""
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
