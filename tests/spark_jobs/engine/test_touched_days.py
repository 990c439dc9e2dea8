"""Days as values of an expression."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import SparkSession

from spark_jobs.engine.touched_days import day_literal


@pytest.mark.spark
@pytest.mark.parametrize(
    "day", [date(1, 1, 1), date(999, 9, 9), date(1582, 10, 10), date(2026, 11, 21), date(9999, 12, 31)]
)
def test_any_day_is_a_value(spark: SparkSession, day: date) -> None:
    """A nightly job's period may lie in the year 1, which some writers put for a day that they do not know."""
    (row,) = spark.range(1).select(day_literal(day).alias("day")).collect()
    assert row["day"] == day
