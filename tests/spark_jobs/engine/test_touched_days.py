"""Days as values of an expression."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs.engine import touched_days
from spark_jobs.engine.touched_days import day_literal
from tests.spark_jobs.engine.conftest import EVENTS
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Table


@pytest.mark.parametrize(
    "day", [date(1, 1, 1), date(999, 9, 9), date(1582, 10, 10), date(2026, 11, 21), date(9999, 12, 31)]
)
def test_any_day_is_a_value(spark: SparkSession, day: date) -> None:
    """A nightly job's period may lie in the year 1, which some writers put for a day that they do not know."""
    (row,) = spark.range(1).select(day_literal(day).alias("day")).collect()
    assert row["day"] == day


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("a", date(2026, 11, 20)), ("b", date(2026, 11, 19)), ("c", date(2026, 11, 20)), ("d", None)], 2),
        ([("a", None)], 0),
        ([], 0),
    ],
)
def test_the_days_of_a_table_are_told_while_it_is_written(
    spark: SparkSession, tmp_path: Path, rows: list[tuple[str, date | None]], expected: int
) -> None:
    """Each once and in order; a row without a day has none, and a table without rows has none."""
    frame, told = touched_days.observed(spark.createDataFrame(rows, "id string, at date").repartition(3), EVENTS)
    frame.coalesce(1).write.parquet(str(tmp_path / "out"))
    assert told() == ["2026-11-19", "2026-11-20"][:expected]


def test_a_table_without_a_day_has_no_days(spark: SparkSession) -> None:
    """And the frame is what it was."""
    frame = spark.range(1)
    same, told = touched_days.observed(frame, Table("t", "facts", (Column("id", ColumnType("bigint")),)))
    assert (same is frame, told()) == (True, [])


def test_the_days_of_rows_that_an_empty_plan_never_had_are_told_at_once(spark: SparkSession, tmp_path: Path) -> None:
    """Spark omits a plan that cannot have rows, so its observation would never arrive."""
    empty = spark.createDataFrame([("a", date(2026, 11, 20))], "id string, at date").where("false")
    frame, told = touched_days.observed(empty, EVENTS)
    frame.coalesce(1).write.parquet(str(tmp_path / "out"))
    assert told() == []
