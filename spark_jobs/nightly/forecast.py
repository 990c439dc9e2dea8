"""Forecasts the net sales of the coming days from the means of weekdays, with an interval from past errors.

The expected value is the mean of the last four days of the same weekday. The same rule is applied to each past day,
using only the days before it; the quantiles of its errors give the interval. After the first day with sales, a day
without sales counts as zero. The job reads eight weeks and a day; with fewer than `past_days` days, there is no
forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.nightly import Night, day_literal

WEEKS = 4
MONEY = "decimal(18,2)"


def compute(night: Night) -> dict[str, DataFrame]:
    """The forecast as of the period's last day."""
    as_of = night.period.last
    return {"forecast": forecast(night.tables["daily_sales"], as_of, night.parameters)}


def forecast(sales: DataFrame, as_of: date, parameters: Mapping[str, Any]) -> DataFrame:
    """One row per coming day, or none at all."""
    past = every_day(sales, as_of)
    recent = past.where(F.date_diff(day_literal(as_of), "day") < 7 * WEEKS)
    means = recent.groupBy("weekday").agg(F.avg("net").cast(MONEY).alias("expected"))
    errors = backtested(past, parameters["interval"]).where(F.col("days") >= parameters["past_days"])
    coming = sales.sparkSession.range(1, parameters["days"] + 1)
    forecast_date = F.date_add(day_literal(as_of), F.col("id").cast("int"))
    dated = coming.select(forecast_date.alias("forecast_date"), F.dayofweek(forecast_date).alias("weekday"))
    expected = F.col("expected")
    return (
        dated.join(means, "weekday")
        .crossJoin(errors)
        .select(
            day_literal(as_of).alias("as_of"),
            "forecast_date",
            "expected",
            F.least(expected, (expected + F.col("low")).cast(MONEY)).alias("lower"),
            F.greatest(expected, (expected + F.col("high")).cast(MONEY)).alias("upper"),
        )
    )


def every_day(sales: DataFrame, as_of: date) -> DataFrame:
    """`day`, `weekday` and `net` (0 without sales) for all days from the first with sales up to `as_of`."""
    first = sales.agg(F.min("transaction_date").alias("first"))
    days = first.select(F.explode(F.sequence("first", day_literal(as_of))).alias("day"))
    net = F.coalesce("net", F.lit(0)).cast(MONEY).alias("net")
    known = days.join(sales, F.col("day") == F.col("transaction_date"), "left")
    return known.select("day", F.dayofweek("day").alias("weekday"), net)


def backtested(past: DataFrame, interval: float) -> DataFrame:
    """One row: the number of past days, and the lower and upper bound of the central share `interval` of the errors."""
    before = Window.partitionBy("weekday").orderBy("day").rowsBetween(-WEEKS, -1)
    errors = past.withColumn("error", (F.col("net") - F.avg("net").over(before)).cast("double"))
    low, high = (F.percentile("error", share).cast(MONEY) for share in ((1 - interval) / 2, (1 + interval) / 2))
    return errors.agg(F.count("*").alias("days"), low.alias("low"), high.alias("high"))
