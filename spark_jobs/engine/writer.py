"""Writes a transform's frames to files under the attempt's prefix, and counts the rows by the files' footers.

The declaration is the contract: columns in its order and types, followed by the system columns. COPY maps Parquet
columns by position, so a frame that differs is an error that names the column and both types.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.engine import fitting
from spark_jobs.engine.hadoop import FileSystem, Stored
from tidemark.core.dataset import Column as Declared
from tidemark.core.dataset import Table
from tidemark.core.errors import DeclarationError
from tidemark.core.job import DataFile, DataFiles

FILE_BYTES = 128 << 20  # approximate size of a table's file
#: The codec of all Parquet files. COPY reads them, and AWS documents no better one for it
#: (docs/aws-facts.md#copy-from-parquet, docs/decisions/0023-copy-reads-gzip.md).
CODEC = "gzip"
#: The minimum ratio of JSON's size to that of our Parquet: 8 on content events, 11 on transactions, 17 on web logs.
SHRINKAGE = 8
TASK_BYTES = 32 << 20  # input for which another core is worthwhile when writing a table
REJECTED_PER_FILE = 250_000
#: Partition values that can be a folder's name: no two differ only in case, and none begins with `_`.
_PLAIN = r"\A[a-z0-9-][a-z0-9._-]{0,63}\z"

_CONF = {
    "spark.sql.session.timeZone": "UTC",
    # A cast that overflows is an error, never a silent null.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.compression.codec": CODEC,
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Timestamps before 1900 and dates before 1582 are written and read without rebasing, since all parts use the
    # proleptic Gregorian calendar. Spark's default is to fail.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.avro.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.avro.datetimeRebaseModeInRead": "CORRECTED",
    # Small batches produce few files.
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    # Up to this many partition values are written concurrently, which avoids sorting by them.
    "spark.sql.maxConcurrentOutputFileWriters": "16",
    # Cached rows are read again soon after they are written, so compressing them costs more than it saves.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    # `_SUCCESS` would be an unnecessary object: result.json marks a successful run.
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "spark.ui.showConsoleProgress": "false",
}


def session(name: str) -> SparkSession:
    """The job's session: the settings from `spark-submit`, and on top of them those that results depend on."""
    builder = SparkSession.builder.appName(name)
    for key, value in _CONF.items():
        builder = builder.config(key, value)
    spark: SparkSession = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def conforming(frame: DataFrame, table: Table, batch_id: str, attempt: int) -> DataFrame:
    """The frame as declared; `DeclarationError` names a column that is missing, extra or of an unsuitable type."""
    given = [name for name in frame.columns if not name.startswith("_")]
    _same_names(table, [column.name for column in table.columns], given)
    declared = [fitting.fitted(frame.schema[column.name], column, table) for column in table.columns]
    system = {"_batch_id": F.lit(batch_id), "_attempt": F.lit(attempt)}
    own = [_own(column, frame, system).alias(column.name) for column in table.own_columns]
    return frame.select(*declared, *own)


def _own(column: Declared, frame: DataFrame, system: Mapping[str, Column]) -> Column:
    """A system column: the batch's or attempt's value, the record's lineage, or null if the row is not a record."""
    if column.name in system:
        return system[column.name].cast(column.type.spark)
    return (F.col(column.name) if column.name in frame.columns else F.lit(None)).cast(column.type.spark)


def _same_names(table: Table, expected: Sequence[str], actual: Sequence[str]) -> None:
    for name in expected:
        if name not in actual:
            raise DeclarationError(f"expected a column `{name}`, found {', '.join(actual)}", (table.name,))
    for name in actual:
        if name not in expected:
            raise DeclarationError(f"expected {', '.join(expected)}, found an extra column `{name}`", (table.name,))


def write_table(frame: DataFrame, table: Table, folder: str, content_bytes: int, files: FileSystem) -> DataFiles:
    """Write Parquet files of at most about `FILE_BYTES` below `folder`; in a partitioned table, one value per file.

    The number of files is estimated from `content_bytes`, the size of the decompressed input: as few as their size
    allows, but more if there is enough input to occupy several cores.
    """
    needed = math.ceil(content_bytes / SHRINKAGE / FILE_BYTES)
    shared = min(frame.sparkSession.sparkContext.defaultParallelism, math.ceil(content_bytes / TASK_BYTES))
    writer = frame.coalesce(max(1, needed, shared))
    if table.partition:
        by = f"by-{table.partition}"  # no declared name has a hyphen
        writer.withColumn(by, _folder(F.col(table.partition))).write.partitionBy(by).parquet(folder)
    else:
        writer.write.parquet(folder)
    stored = [(file, files.parquet_rows(file.uri)) for file in _data(files, folder, ".parquet")]
    return tuple(DataFile(file.uri, rows, file.bytes) for file, rows in stored if rows)


def _folder(value: Column) -> Column:
    """A unique folder name for a partition value; the value itself remains a column of the file.

    Short lower-case values are their own name. Other values are hashed, because a file system might reject, truncate or
    confuse them. With Spark's own names, null, the empty text and Hive's name for null would share a file.
    """
    text = value.cast("string")
    hashed = F.concat(F.lit("_"), F.sha2(text, 256).substr(1, 32))
    return F.when(value.isNull(), "_null").when(text.rlike(_PLAIN), text).otherwise(hashed)


def write_rejected(frame: DataFrame, rows: int, folder: str, files: FileSystem) -> DataFiles:
    """Write the rejected records as JSON lines."""
    if not rows:
        return ()
    count = math.ceil(rows / REJECTED_PER_FILE)
    frame.coalesce(count).write.option("ignoreNullFields", "false").json(folder)
    stored = _data(files, folder, ".json")
    if len(stored) == 1:
        return (DataFile(stored[0].uri, rows, stored[0].bytes),)
    lines = _lines(frame.sparkSession, [file.uri for file in stored])
    return tuple(DataFile(file.uri, lines[file.uri.rsplit("/", 1)[1]], file.bytes) for file in stored)


def _lines(spark: SparkSession, uris: Sequence[str]) -> dict[str, int]:
    """The number of lines by file name."""
    name = F.element_at(F.split(F.input_file_name(), "/"), -1)
    counted = spark.read.text(list(uris)).groupBy(name.alias("name")).count().collect()
    return {row["name"]: row["count"] for row in counted}


def _data(files: FileSystem, folder: str, suffix: str) -> list[Stored]:
    return [file for file in files.files(folder) if file.uri.endswith(suffix)]
