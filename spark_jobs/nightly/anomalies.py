"""Hours whose error rate, and days whose net sales, leave the band that their past draws.

A value is compared with the 28 days before its own, never with later ones: an hour's error rate with the same hour of
those days, a day's sales with the same weekday, or with all days where that weekday is there fewer than four times.
The middle of the band is the median of the past; the spread is its median absolute deviation, times 1.4826 so that it
equals the standard deviation of normal data. Neither is moved by a few earlier anomalies. A value is reported when it
lies more than `k` spreads from the middle, and when there are at least `past_values` to compare with.

A quiet past would make the band too narrow. So the spread is never below what counting alone makes of it: for a rate
of n events the binomial standard error (with one error and one success more, lest a spotless past allow none), for the
sum of n amounts that vary about as much as they are large expected * sqrt(2/n), and `sales_spread` of the expected sum.
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
    given = night.parameters
    rates = night.tables["hourly_errors"].select(
        "event_date", "hour", F.col("error_rate").alias("value"), F.col("events").alias("size")
    )
    sales = night.tables["daily_sales"].select(
        F.col("transaction_date").alias("event_date"),
        F.lit(None).cast("int").alias("hour"),
        F.col("net").cast("double").alias("value"),
        F.col("transactions").alias("size"),
    )
    found = [
        judged(with_past(rates, night.period, given["past_values"]), "error_rate", _rate_spread(), given["k"]),
        judged(
            with_past(sales, night.period, given["past_values"], weekdays=True),
            "net_sales",
            _sales_spread(given["sales_spread"]),
            given["k"],
        ),
    ]
    return {"anomalies": found[0].unionByName(found[1])}


def with_past(values: DataFrame, period: Period, past_values: int, *, weekdays: bool = False) -> DataFrame:
    """The period's values, each with the past ones it is compared with and with the median of their sizes."""
    now = values.where(F.col("event_date").between(day_literal(period.start), day_literal(period.last)))
    past = values.toDF("past_date", "past_hour", "past_value", "past_size")
    ago = F.date_diff("event_date", "past_date")
    pairs = now.join(past, ago.between(1, PAST_DAYS) & F.col("hour").eqNullSafe(F.col("past_hour")))
    found = pairs.groupBy("event_date", "hour", "value", "size").agg(
        F.collect_list("past_value").alias("all"),
        F.collect_list(F.when(ago % 7 == 0, F.col("past_value"))).alias("alike"),
        F.median("past_size").alias("past_size"),
    )
    alike = F.lit(weekdays) & (F.size("alike") >= SAME_WEEKDAYS)
    past_ = F.when(alike, F.col("alike")).otherwise(F.col("all")).alias("past")
    return found.where(F.size("all") >= past_values).select("event_date", "hour", "value", "size", "past_size", past_)


def judged(values: DataFrame, measure: str, least_spread: Column, k: float) -> DataFrame:
    """The values that lie outside their band; `least_spread` may use `expected`, `size` and `past_size`."""
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
    """The median of an array that is not empty."""
    ordered, size = F.sort_array(values), F.size(values)
    lower = F.element_at(ordered, ((size + 1) / 2).cast("int"))
    return (lower + F.element_at(ordered, (size / 2 + 1).cast("int"))) / 2


def _rate_spread() -> Column:
    rate = (F.col("expected") * F.col("size") + 1) / (F.col("size") + 2)
    return F.sqrt(rate * (1 - rate) / F.col("size"))


def _sales_spread(share: float) -> Column:
    counted = F.sqrt(2 / F.greatest(F.col("past_size"), F.lit(1)))
    return F.greatest(F.abs("expected") * F.greatest(counted, F.lit(share)), F.lit(CENT))
