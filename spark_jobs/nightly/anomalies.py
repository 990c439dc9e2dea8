"""Detects hours with an unusual error rate and days with unusual net sales.

A value is compared only with the 28 days before it: an hour's error rate with the same hour of those days, and a day's
sales with the same weekday, or with all days if that weekday occurs fewer than four times. The expected value is the
median of these past values. The spread is their median absolute deviation, times 1.4826 so that it equals the standard
deviation of normally distributed data. A few earlier anomalies affect neither. A value is an anomaly if it differs from
the expected value by more than `k` spreads and if there are at least `past_values` past values.

Little variation in the past would make the spread too small, so it has a lower bound from sampling error. For a rate of
n events, this is the binomial standard error, computed with one additional error and one additional success so that a
past without errors does not give zero. For a sum of n amounts, it is expected * sqrt(2/n), assuming that n is random
and that the amounts' standard deviation is about their mean; and at least the share `sales_spread` of the expected sum.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.nightly import Night, Period, day_literal

PAST_DAYS = 28
SAME_WEEKDAYS = 4
MAD_TO_DEVIATION = 1.4826
CENT = 0.01


def compute(night: Night) -> dict[str, DataFrame]:
    """The anomalies of the period's days."""
    parameters = night.parameters
    rates = night.tables["hourly_errors"].select(
        "event_date", "hour", F.col("error_rate").alias("value"), F.col("events").alias("size")
    )
    sales = night.tables["daily_sales"].select(
        F.col("transaction_date").alias("event_date"),
        F.lit(None).cast("int").alias("hour"),
        F.col("net").cast("double").alias("value"),
        F.col("transactions").alias("size"),
    )
    rate_anomalies = outliers(
        with_past(rates, night.period, parameters["past_values"]), "error_rate", _rate_spread(), parameters["k"]
    )
    sales_anomalies = outliers(
        with_past(sales, night.period, parameters["past_values"], weekdays=True),
        "net_sales",
        _sales_spread(parameters["sales_spread"]),
        parameters["k"],
    )
    return {"anomalies": rate_anomalies.unionByName(sales_anomalies)}


def with_past(values: DataFrame, period: Period, past_values: int, *, weekdays: bool = False) -> DataFrame:
    """The period's values, each with the past values to compare it with and with the median of their sizes."""
    now = values.where(F.col("event_date").between(day_literal(period.start), day_literal(period.last)))
    past = values.toDF("past_date", "past_hour", "past_value", "past_size")
    ago = F.date_diff("event_date", "past_date")
    pairs = now.join(past, ago.between(1, PAST_DAYS) & F.col("hour").eqNullSafe(F.col("past_hour")))
    grouped = pairs.groupBy("event_date", "hour", "value", "size").agg(
        F.collect_list("past_value").alias("all"),
        F.collect_list(F.when(ago % 7 == 0, F.col("past_value"))).alias("same_weekday"),
        F.median("past_size").alias("past_size"),
    )
    by_weekday = F.lit(weekdays) & (F.size("same_weekday") >= SAME_WEEKDAYS)
    past_ = F.when(by_weekday, F.col("same_weekday")).otherwise(F.col("all")).alias("past")
    return grouped.where(F.size("all") >= past_values).select("event_date", "hour", "value", "size", "past_size", past_)


def outliers(values: DataFrame, measure: str, least_spread: Column, k: float) -> DataFrame:
    """The values more than `k` spreads from expected; `least_spread` may use `expected`, `size` and `past_size`."""
    expected, spread = F.col("expected"), F.col("spread")
    deviations = F.transform("past", lambda value: F.abs(value - expected))
    scored = (
        values.withColumn("expected", median_of(F.col("past")))
        .withColumn("spread", F.greatest(MAD_TO_DEVIATION * median_of(deviations), least_spread))
        .withColumn("score", (F.col("value") - expected) / spread)
    )
    return scored.where(F.abs("score") > k).select(
        "event_date",
        "hour",
        F.lit(measure).alias("measure"),
        "value",
        "expected",
        (expected - k * spread).alias("lower"),
        (expected + k * spread).alias("upper"),
        "score",
    )


def median_of(values: Column) -> Column:
    """The median of a non-empty array."""
    ordered, size = F.sort_array(values), F.size(values)
    lower = F.element_at(ordered, ((size + 1) / 2).cast("int"))
    return (lower + F.element_at(ordered, (size / 2 + 1).cast("int"))) / 2


def _rate_spread() -> Column:
    rate = (F.col("expected") * F.col("size") + 1) / (F.col("size") + 2)
    return F.sqrt(rate * (1 - rate) / F.col("size"))


def _sales_spread(share: float) -> Column:
    counted = F.sqrt(2 / F.greatest(F.col("past_size"), F.lit(1)))
    return F.greatest(F.abs("expected") * F.greatest(counted, F.lit(share)), F.lit(CENT))
