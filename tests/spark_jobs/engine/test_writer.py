"""Tables as Parquet: what a transform gave is what a reader finds, of every day and in every partition."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.engine import writer
from spark_jobs.engine.hadoop import FileSystem
from tests.spark_jobs.conftest import schema
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Dataset, Table
from tidemark.core.errors import DeclarationError
from tidemark.core.job import rows_of

PLACES = count(1)


def written(spark: SparkSession, lake: Path, declared: str, values: list[Any]) -> list[tuple[str, list[Any]]]:
    """Rows of one value each, in a table that is partitioned by it: folder and values of every file."""
    place = f"storage/{next(PLACES)}"
    table = Table("t", "report", (Column("v", ColumnType.parse(declared)),), partition="v")
    frame = spark.createDataFrame([(value,) for value in values], f"v {table.columns[0].type.spark}")
    found = writer.write_table(frame, table, f"s3://lake/{place}", 0, FileSystem(spark))
    paths = [lake / file.uri.removeprefix("s3://lake/") for file in found]
    assert rows_of(found) == len(values)
    return [(path.parent.name, pq.ParquetFile(path).read().column("v").to_pylist()) for path in paths]


SAFE = set("abcdefghijklmnopqrstuvwxyz0123456789-_.=")
MOMENTS = [
    "0001-01-01 00:00:00", "1582-10-14 01:02:03.000004", "1899-12-30 00:00:00", "9999-12-31 23:59:59.999999",
]  # fmt: skip


def test_moments_before_the_calendars_reform_are_written_as_they_are(spark: SparkSession, lake: Path) -> None:
    """Go's zero time, a Julian day and Excel's day 0 are the same moments in the file, and read by Spark from it."""
    columns = (Column("at", ColumnType("timestamp")), Column("day", ColumnType("date")))
    rows = ", ".join(f"(TIMESTAMP'{moment}', DATE'{moment[:10]}')" for moment in MOMENTS)
    frame = spark.sql(f"SELECT * FROM VALUES {rows} AS rows(at, day)")
    writer.write_table(frame, Table("t", "report", columns), "s3://lake/storage/ancient", 0, FileSystem(spark))
    found = pq.read_table(lake / "storage" / "ancient").sort_by("at")
    assert found.column("at").to_pylist() == [datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in MOMENTS]
    assert found.column("day").to_pylist() == [date.fromisoformat(moment[:10]) for moment in MOMENTS]
    read = spark.read.parquet("s3://lake/storage/ancient").selectExpr("CAST(at AS string)", "CAST(day AS string)")
    assert sorted(read.collect()) == [(moment, moment[:10]) for moment in MOMENTS]


ODD = [
    None, "", "__HIVE_DEFAULT_PARTITION__", "_null", "null", "north", "North", "NORTH", " north", "north ", "a/b", "..",
    ".", "-", "50%", "%2F", "x=y", "a#b", "a?b", "*", "\\", "'", '"', "\n", "\t", "ü", "u\u0308", "😀", "L" * 300,
    "L" * 301, "l" * 300, "by_v", "CON", "nul.", "~", "{x}",
]  # fmt: skip


def test_every_text_has_a_file_and_a_fit_folder_of_its_own(spark: SparkSession, lake: Path) -> None:
    """Null, nothing, Hive's word for null, and what a file system would refuse, cut, or take for one name."""
    files = written(spark, lake, "string(1024)", ODD * 2)
    assert sorted((values for _, values in files), key=repr) == sorted(([value] * 2 for value in ODD), key=repr)
    folders = [folder for folder, _ in files]
    assert len({folder.lower() for folder in folders}) == len(ODD)
    assert all(len(folder) < 80 and set(folder) <= SAFE for folder in folders)
    assert {"by-v=north", "by-v=_null", "by-v=null"} <= set(folders)


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("boolean", [True, False, None]),
        ("int", [-5, 0, 5, None]),
        ("bigint", [-(2**63), 2**63 - 1, None]),
        ("decimal(38,2)", [Decimal("-0.01"), Decimal("0.00"), Decimal("9" * 36 + ".99"), None]),
        ("date", [date(1, 1, 1), date(1969, 12, 31), date(9999, 12, 31), None]),
        ("timestamp", [datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), None]),
    ],
)  # fmt: skip
def test_every_type_partitions(spark: SparkSession, lake: Path, declared: str, values: list[Any]) -> None:
    """Each value, and none, has a file of its own."""
    files = written(spark, lake, declared, values)
    assert sorted((found for _, found in files), key=repr) == sorted(([value] for value in values), key=repr)


def test_a_column_may_be_called_like_the_folder(spark: SparkSession, lake: Path) -> None:
    """`by_v` is an ordinary column even if the partition is `v`."""
    columns = (Column("v", ColumnType("int")), Column("by_v", ColumnType("int")))
    frame = spark.createDataFrame([(1, 2)], "v int, by_v int")
    table = Table("t", "report", columns, partition="v")
    found = writer.write_table(frame, table, "s3://lake/storage/by_v", 0, FileSystem(spark))
    [file] = found
    assert pq.ParquetFile(lake / file.uri.removeprefix("s3://lake/")).read().to_pylist() == [{"v": 1, "by_v": 2}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("events"), "user_activity: expected a column `events`, found user_id, event_date"),
        (
            lambda frame: frame.withColumn("x", F.lit(1)),
            "expected user_id, event_date, events, found an extra column `x`",
        ),
        (
            lambda frame: frame.withColumn("events", F.col("events").cast("string")),
            "user_activity.events: expected bigint, found string",
        ),
        (
            lambda frame: frame.withColumn("event_date", F.current_timestamp()),
            "user_activity.event_date: expected date, found timestamp",
        ),
    ],
)
def test_a_frame_that_breaks_the_contract_is_named(
    requests: dict[str, DataFrame], declared: dict[str, Dataset], change: Any, message: str
) -> None:
    """Missing, extra, or of a type that could lose something: the message says which column, expected and found."""
    table = declared["web_logs"].table("user_activity")
    with pytest.raises(DeclarationError) as raised:
        writer.conforming(change(requests["user_activity"]), table, "b", 1)
    assert message in str(raised.value)


def test_a_type_that_loses_nothing_is_widened(requests: dict[str, DataFrame], declared: dict[str, Dataset]) -> None:
    """An int fits a bigint."""
    frame = requests["user_activity"].withColumn("events", F.col("events").cast("int"))
    conforming = writer.conforming(frame, declared["web_logs"].table("user_activity"), "b", 1)
    assert dict(schema(conforming))["events"] == "bigint"


def test_a_text_longer_than_its_column_fails_before_it_fails_the_load(
    requests: dict[str, DataFrame], declared: dict[str, Dataset]
) -> None:
    """Redshift counts bytes, and refuses the whole COPY for one text too long."""
    frame = requests["user_activity"].withColumn("user_id", F.repeat(F.lit("é"), 129))
    conforming = writer.conforming(frame, declared["web_logs"].table("user_activity"), "b", 1)
    with pytest.raises(Exception, match=r"user_activity.user_id: expected at most 256 bytes, found 258"):
        conforming.collect()
