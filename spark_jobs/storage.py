"""From the frames of a transform to files under the attempt's prefix, each counted by its own footer.

The declaration is the contract: columns in its order and of its types, then the system columns. COPY maps Parquet
columns by position, so a frame that differs is an error that names the column and both types.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from spark_jobs.hadoop import FileSystem, Stored
from tidemark.core.dataset import Column as Declared
from tidemark.core.dataset import Table
from tidemark.core.errors import DeclarationError

FILE_BYTES = 128 << 20  # of a table's file, about
#: JSON shrinks so much at least on its way to zstd-compressed Parquet: 8 on transactions, 18 to 23 on web logs.
SHRINKAGE = 8
TASK_BYTES = 32 << 20  # of input, from which on a table is worth another core's while
REJECTED_PER_FILE = 250_000

_CONF = {
    "spark.sql.session.timeZone": "UTC",
    # A cast that overflows is an error, never a silent null.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
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


@dataclass(frozen=True)
class Written:
    """Files of one table, with rows and bytes."""

    files: tuple[tuple[Stored, int], ...]

    @property
    def rows(self) -> int:
        return sum(rows for _, rows in self.files)

    def to_json(self) -> dict[str, Any]:
        """The form of result.json."""
        return {
            "rows": self.rows,
            "files": [{"uri": file.uri, "rows": rows, "bytes": file.bytes} for file, rows in self.files],
        }


def conforming(frame: DataFrame, table: Table, batch_id: str, attempt: int) -> DataFrame:
    """The frame as the declaration wants it; `DeclarationError` names a column that is missing, extra or unsafe."""
    given = [name for name in frame.columns if not name.startswith("_")]
    _same_names(table, [column.name for column in table.columns], given)
    declared = [_cast(frame.schema[column.name], column, table) for column in table.columns]
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


def _cast(found: T.StructField, declared: Declared, table: Table) -> Column:
    name, expected = declared.name, declared.type.spark
    if found.dataType.simpleString() != expected and not _widens(found.dataType, expected):
        message = f"expected {expected}, found {found.dataType.simpleString()}"
        raise DeclarationError(message, (table.name, name))
    value = F.col(name).cast(expected)
    if declared.type.kind == "string":
        value = _no_longer(value, declared.type.arguments[0], f"{table.name}.{name}")
    return value.alias(name)


def _no_longer(value: Column, bytes_max: int, name: str) -> Column:
    """The value; a longer one fails the job, as it would fail the whole load later."""
    size = F.octet_length(value)
    complaint = F.concat(F.lit(f"{name}: expected at most {bytes_max} bytes, found "), size.cast("string"))
    return F.when(size > bytes_max, F.raise_error(complaint)).otherwise(value)


_WIDER = {"tinyint": 1, "smallint": 2, "int": 3, "bigint": 4}


def _widens(found: T.DataType, expected: str) -> bool:
    """Whether every value of the one type is exactly a value of the other."""
    name = found.simpleString()
    if isinstance(found, T.DecimalType) and expected.startswith("decimal"):
        precision, scale = map(int, expected[len("decimal(") : -1].split(","))
        return scale >= found.scale and precision - scale >= found.precision - found.scale
    if name in _WIDER and expected in _WIDER:
        return _WIDER[name] <= _WIDER[expected]
    return (name, expected) in {("float", "double"), ("int", "double")}


def write_table(frame: DataFrame, table: Table, folder: str, content_bytes: int, files: FileSystem) -> Written:
    """Parquet files below `folder`, of `FILE_BYTES` or less; a partitioned table has one value in each file.

    `content_bytes` is the size of the decompressed input, from which the number of files is estimated: as few as
    their size allows, unless there is enough to write for every core.
    """
    needed = math.ceil(content_bytes / SHRINKAGE / FILE_BYTES)
    shared = min(frame.sparkSession.sparkContext.defaultParallelism, math.ceil(content_bytes / TASK_BYTES))
    writer = frame.coalesce(max(1, needed, shared))
    if table.partition:
        # The value names the folder, and stays a column of the file.
        by = f"by_{table.partition}"
        writer.withColumn(by, F.col(table.partition)).write.partitionBy(by).parquet(folder)
    else:
        writer.write.parquet(folder)
    stored = [(file, files.parquet_rows(file.uri)) for file in _data(files, folder, ".parquet")]
    return Written(tuple((file, rows) for file, rows in stored if rows))


def write_rejected(frame: DataFrame, rows: int, folder: str, files: FileSystem) -> Written:
    """Rejected records as JSON lines."""
    if not rows:
        return Written(())
    count = math.ceil(rows / REJECTED_PER_FILE)
    frame.coalesce(count).write.option("ignoreNullFields", "false").json(folder)
    stored = _data(files, folder, ".json")
    if len(stored) == 1:
        return Written(((stored[0], rows),))
    lines = _lines(frame.sparkSession, [file.uri for file in stored])
    return Written(tuple((file, lines[file.uri.rsplit("/", 1)[1]]) for file in stored))


def _lines(spark: SparkSession, uris: Sequence[str]) -> dict[str, int]:
    """Lines by file name."""
    name = F.element_at(F.split(F.input_file_name(), "/"), -1)
    counted = spark.read.text(list(uris)).groupBy(name.alias("name")).count().collect()
    return {row["name"]: row["count"] for row in counted}


def _data(files: FileSystem, folder: str, suffix: str) -> list[Stored]:
    return [file for file in files.files(folder) if file.uri.endswith(suffix)]
