"""The next fortnight's net sales, and how far to trust them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.nightly import Night
from spark_jobs.nightly.forecast import compute, forecast

SUNDAY = date(2026, 7, 5)
PARAMETERS = {"days": 14, "past_days": 14, "interval": 0.8}
SCHEMA = pa.schema([("transaction_date", pa.date32()), ("net", pa.decimal128(18, 2))])
WEEK = (100, 110, 120, 130, 140, 300, 50)  # Monday to Sunday


def past(days: int, net: Callable[[date], float], end: date = SUNDAY) -> dict[date, Decimal]:
    """That many days up to `end`."""
    dates = [end - timedelta(days=ago) for ago in range(days - 1, -1, -1)]
    return {day: Decimal(round(net(day) * 100)) / 100 for day in dates}


def weekly(day: date) -> float:
    return WEEK[day.weekday()]


def noisy(seed: int, noise: float) -> Callable[[date], float]:
    """The weekly pattern, times normal noise of that share."""
    dice = random.Random(seed)
    return lambda day: 10 * weekly(day) * dice.gauss(1, noise)


def sales(spark: SparkSession, net: Mapping[date, Decimal]) -> DataFrame:
    return spark.createDataFrame(list(net.items()), "transaction_date date, net decimal(18,2)")


def forecasts(spark: SparkSession, net: Mapping[date, Decimal], *as_of: date) -> list[Any]:
    """Rows of the forecasts of several days, each from what was known by then."""
    known = [
        {day: amount for day, amount in net.items() if today - timedelta(days=57) < day <= today} for today in as_of
    ]
    frames = [forecast(sales(spark, given), today, PARAMETERS) for given, today in zip(known, as_of, strict=True)]
    return reduce(DataFrame.union, frames).orderBy("as_of", "forecast_date").collect()


def test_a_weekly_pattern_goes_on(spark: SparkSession, night: Callable[..., Night]) -> None:
    """What was the same every week will be so, and there is nothing to be unsure of."""
    found = compute(night("forecast", SUNDAY, daily_sales=sales(spark, past(28, weekly))))["forecast"]
    expected = {SUNDAY + timedelta(days=ahead): Decimal(WEEK[(ahead - 1) % 7]) for ahead in range(1, 15)}
    assert [tuple(row) for row in found.orderBy("forecast_date").collect()] == [
        (SUNDAY, day, net, net, net) for day, net in expected.items()
    ]


@pytest.mark.parametrize(("days", "rows"), [(0, 0), (13, 0), (14, 14)])
def test_a_short_past_allows_no_forecast(spark: SparkSession, days: int, rows: int) -> None:
    """Two weeks are the least: one to learn from, one to see how wrong that is."""
    assert len(forecasts(spark, past(days, weekly), SUNDAY)) == rows


def test_a_day_without_sales_is_a_day_of_zero(spark: SparkSession) -> None:
    """A shop that is closed on Sundays will be closed on Sundays; what was before its first day does not count."""
    open_days = {day: net for day, net in past(28, weekly).items() if day.weekday() != 6}
    found = forecasts(spark, open_days, SUNDAY)
    assert [row["expected"] for row in found if row["forecast_date"].weekday() == 6] == [Decimal(0)] * 2
    assert found[0]["expected"] == Decimal(100)
    assert forecasts(spark, dict(list(open_days.items())[-11:]), SUNDAY) == []


def test_the_interval_comes_from_earlier_errors(spark: SparkSession) -> None:
    """A second week with 10 a day more than the first: seven errors of 10, and the mean itself stays inside."""
    net = past(14, lambda day: weekly(day) + (10 if day > SUNDAY - timedelta(days=7) else 0))
    monday = forecasts(spark, net, SUNDAY)[0]
    assert (monday["expected"], monday["lower"], monday["upper"]) == (Decimal(105), Decimal(105), Decimal(115))


def test_it_beats_the_last_value_and_its_interval_holds(spark: SparkSession) -> None:
    """210 days ahead, from fifteen nights: closer than "as yesterday", and about four of five within the interval."""
    net = past(57 + 15 * 14, noisy(17, 0.1))
    first = min(net) + timedelta(days=56)
    found = forecasts(spark, net, *(first + timedelta(days=14 * number) for number in range(15)))
    assert len(found) == 210
    ours = sum(abs(row["expected"] - net[row["forecast_date"]]) for row in found)
    naive = sum(abs(net[row["as_of"]] - net[row["forecast_date"]]) for row in found)
    assert ours < naive / 3
    inside = sum(row["lower"] <= net[row["forecast_date"]] <= row["upper"] for row in found)
    assert 0.65 <= inside / 210 <= 0.95


def test_the_forecast_is_what_duckdb_makes_of_the_same_past(night: Callable[..., Night], both: Any) -> None:
    """Means and quantiles by plain joins of days, to the cent."""
    net = past(57, noisy(23, 0.2))
    given = both("sales", [{"transaction_date": day, "net": amount} for day, amount in net.items()], SCHEMA)
    found = both.rows(compute(night("forecast", SUNDAY, daily_sales=given))["forecast"])
    expected = both.sql(
        """
        WITH errors AS (
            SELECT v.net::DOUBLE - avg(p.net) AS error FROM {sales} v JOIN {sales} p
                ON v.transaction_date - p.transaction_date IN (7, 14, 21, 28) GROUP BY v.transaction_date, v.net
        ), means AS (
            SELECT dayofweek(transaction_date) AS weekday, avg(net) AS mean FROM {sales}
            WHERE transaction_date > DATE '2026-07-05' - 28 GROUP BY 1
        )
        SELECT DATE '2026-07-05', DATE '2026-07-05' + n::INT AS day, mean,
            mean + (SELECT quantile_cont(error, 0.1) FROM errors), mean + (SELECT quantile_cont(error, 0.9) FROM errors)
        FROM range(1, 15) days(n) JOIN means ON weekday = dayofweek(DATE '2026-07-05' + n::INT)
        """
    )
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert [float(value) for value in ours[2:]] == pytest.approx(theirs[2:], abs=0.011)
