"""From the frames of a transform to files under the attempt's prefix, each counted by its own footer.

The declaration is the contract: columns in its order and of its types, then the system columns. COPY maps Parquet
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

FILE_BYTES = 128 << 20  # of a table's file, about
#: JSON shrinks so much at least on its way to zstd-compressed Parquet: 8 on transactions, 18 to 23 on web logs.
SHRINKAGE = 8
TASK_BYTES = 32 << 20  # of input, from which on a table is worth another core's while
REJECTED_PER_FILE = 250_000
#: Partition values that may name a folder as they are: no two differ in case alone, and none begins with `_`.
_PLAIN = r"\A[a-z0-9-][a-z0-9._-]{0,63}\z"

_CONF = {
    "spark.sql.session.timeZone": "UTC",
    # A cast that overflows is an error, never a silent null.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Moments before 1900 and dates before 1582 are written and read as they are: the calendar is the same throughout.
    # Spark's default is to fail.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.avro.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.avro.datetimeRebaseModeInRead": "CORRECTED",
    # Small batches end in small numbers of files.
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    # A few partition values are written side by side instead of sorting for them.
    "spark.sql.maxConcurrentOutputFileWriters": "16",
    # What is kept for the next table is read as soon as it is written: packing it costs more than it saves.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    # `_SUCCESS` would be one more object; result.json is the only word that counts.
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "spark.ui.showConsoleProgress": "false",
}


def session(name: str) -> SparkSession:
    """The job's session; what `spark-submit` was given stays, what results depend on is set here."""
    builder = SparkSession.builder.appName(name)
    for key, value in _CONF.items():
        builder = builder.config(key, value)
    spark: SparkSession = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def conforming(frame: DataFrame, table: Table, batch_id: str, attempt: int) -> DataFrame:
    """The frame as the declaration wants it; `DeclarationError` names a column that is missing, extra or unsafe."""
    given = [name for name in frame.columns if not name.startswith("_")]
    _same_names(table, [column.name for column in table.columns], given)
    declared = [fitting.fitted(frame.schema[column.name], column, table) for column in table.columns]
    system = {"_batch_id": F.lit(batch_id), "_attempt": F.lit(attempt)}
    own = [_own(column, frame, system).alias(column.name) for column in table.own_columns]
    return frame.select(*declared, *own)


def _own(column: Declared, frame: DataFrame, system: Mapping[str, Column]) -> Column:
    """A column of the system: the attempt's, the record's own lineage, or nothing where no record is behind the row."""
    if column.name in system:
        return system[column.name].cast(column.type.spark)
    return (F.col(column.name) if column.name in frame.columns else F.lit(None)).cast(column.type.spark)


def _same_names(table: Table, expected: Sequence[str], found: Sequence[str]) -> None:
    for name in expected:
        if name not in found:
            raise DeclarationError(f"expected a column `{name}`, found {', '.join(found)}", (table.name,))
    for name in found:
        if name not in expected:
            raise DeclarationError(f"expected {', '.join(expected)}, found a column `{name}` more", (table.name,))


def write_table(frame: DataFrame, table: Table, folder: str, content_bytes: int, files: FileSystem) -> DataFiles:
    """Parquet files below `folder`, of `FILE_BYTES` or less; a partitioned table has one value in each file.

    `content_bytes` is the size of the decompressed input, from which the number of files is estimated: as few as
    their size allows, unless there is enough to write for every core.
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
    """A folder's name for a partition's value, which stays a column of the file: another one for every other value.

    Short lower-case values name themselves; others, which a file system might refuse, cut, or take for each other, are
    told by their hash. Spark's own names would put null, the empty text and Hive's name for null into one file.
    """
    text = value.cast("string")
    hashed = F.concat(F.lit("_"), F.sha2(text, 256).substr(1, 32))
    return F.when(value.isNull(), "_null").when(text.rlike(_PLAIN), text).otherwise(hashed)


def write_rejected(frame: DataFrame, rows: int, folder: str, files: FileSystem) -> DataFiles:
    """Rejected records as JSON lines."""
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
    """Lines by file name."""
    name = F.element_at(F.split(F.input_file_name(), "/"), -1)
    counted = spark.read.text(list(uris)).groupBy(name.alias("name")).count().collect()
    return {row["name"]: row["count"] for row in counted}


def _data(files: FileSystem, folder: str, suffix: str) -> list[Stored]:
    return [file for file in files.files(folder) if file.uri.endswith(suffix)]
