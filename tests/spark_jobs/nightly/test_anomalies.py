"""What leaves the band that its past draws, and what does not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from spark_jobs.nightly import Night
from spark_jobs.nightly.anomalies import compute
from tidemark.core.periods import Period

MONDAY = date(2026, 6, 29)
SUNDAY = date(2026, 7, 5)
RATES = pa.schema(
    [("event_date", pa.date32()), ("hour", pa.int32()), ("events", pa.int64()), ("error_rate", pa.float64())]
)
SALES = pa.schema([("transaction_date", pa.date32()), ("transactions", pa.int64()), ("net", pa.decimal128(18, 2))])
Judge = Callable[..., list[tuple[Any, ...]]]


def days_before(day: date, number: int) -> list[date]:
    """The so many days before that one, oldest first."""
    return [day - timedelta(days=ago) for ago in range(number, 0, -1)]


@pytest.fixture
def judge(spark: SparkSession, night: Callable[..., Night], both: Any) -> Judge:
    """Rates (day, hour, events, rate) and sales (day, transactions, net) in; the anomalies of Sunday out."""

    def given(
        rates: Sequence[tuple[date, int, int, float]] = (), sales: Sequence[tuple[date, int, int]] = ()
    ) -> list[tuple[Any, ...]]:
        found = compute(
            night(
                "anomalies",
                SUNDAY,
                hourly_errors=spark.createDataFrame(
                    list(rates), "event_date date, hour int, events bigint, error_rate double"
                ),
                daily_sales=spark.createDataFrame(
                    [(day, number, Decimal(net)) for day, number, net in sales],
                    "transaction_date date, transactions bigint, net decimal(18,2)",
                ),
            )
        )["anomalies"]
        return [tuple(round(v, 3) if isinstance(v, float) else v for v in row) for row in both.rows(found)]

    return given


def test_an_hours_error_rate_is_compared_with_the_same_hour_of_other_days(judge: Judge) -> None:
    """At 3 o'clock 10 % is usual and 30 % is not; at 4 o'clock 30 % is usual.

    The band is 4 * sqrt(0.1008 * 0.8992 / 1000) = 0.038 to either side.
    """
    past = [row for day in days_before(SUNDAY, 28) for row in ((day, 3, 1_000, 0.1), (day, 4, 1_000, 0.3))]
    assert judge(rates=[*past, (SUNDAY, 3, 1_000, 0.3), (SUNDAY, 4, 1_000, 0.3)]) == [
        (SUNDAY, 3, "error_rate", 0.3, 0.1, 0.062, 0.138, 21.008)
    ]


def test_few_events_prove_little(judge: Judge) -> None:
    """Two errors in four events are not an anomaly where errors are rare; two hundred in four hundred are."""
    past = [(day, hour, 400, 0.0) for day in days_before(SUNDAY, 28) for hour in (3, 4)]
    assert [row[1] for row in judge(rates=[*past, (SUNDAY, 3, 4, 0.5), (SUNDAY, 4, 400, 0.5)])] == [4]


def test_a_day_is_compared_with_its_weekday(judge: Judge) -> None:
    """Sundays sell 5,000, other days 1,000: 5,000 on a Sunday is as ever, 1,000 is not."""
    past = [(day, 10_000, 5_000 if day.weekday() == 6 else 1_000) for day in days_before(SUNDAY, 28)]
    assert judge(sales=[*past, (SUNDAY, 10_000, 5_000)]) == []
    assert judge(sales=[*past, (SUNDAY, 10_000, 1_000)]) == [
        (SUNDAY, None, "net_sales", 1_000.0, 5_000.0, 4_000.0, 6_000.0, -16.0)
    ]


def test_where_a_weekday_is_rare_all_days_are_compared(judge: Judge) -> None:
    """With fewer than four past Sundays, a Sunday is compared with all days; with fewer than seven days, not at all."""
    past = [(day, 10_000, 5_000 if day.weekday() == 6 else 1_000) for day in days_before(SUNDAY, 27)]
    assert [row[4] for row in judge(sales=[*past, (SUNDAY, 10_000, 5_000)])] == [1_000.0]
    assert len(judge(sales=[*past[-7:], (SUNDAY, 10_000, 9_000)])) == 1
    assert judge(sales=[*past[-6:], (SUNDAY, 10_000, 9_000)]) == []


def test_neither_later_days_nor_earlier_anomalies_move_the_band(judge: Judge) -> None:
    """13 outliers among 28 values do not move the median; later and much older days are ignored."""
    past = [(day, 3, 1_000, 0.9 if number < 13 else 0.1) for number, day in enumerate(days_before(SUNDAY, 28))]
    other = [(SUNDAY + timedelta(days=ago), 3, 1_000, 0.9) for ago in (*range(1, 40), *range(-90, -28))]
    found = judge(rates=[*past, *other, (SUNDAY, 3, 1_000, 0.3)])
    assert [(row[0], row[4]) for row in found] == [(SUNDAY, 0.1)]


def test_what_was_planted_is_found_and_nothing_else(
    spark: SparkSession, night: Callable[..., Night], both: Any
) -> None:
    """A week of 168 hours and seven days, on a month of noise; the bands are those that DuckDB draws."""
    dice = random.Random(5)
    bad_hours, bad_days = {(MONDAY, 2): 0.12, (SUNDAY, 20): 0.3}, {MONDAY + timedelta(days=2): 0.6, SUNDAY: 1.5}
    rates, sales = [], []
    for day in [*days_before(MONDAY, 28), *days_before(MONDAY + timedelta(days=7), 7)]:
        for hour in range(24):
            events = dice.randrange(400, 600) * (1 + hour % 12)
            errors = sum(dice.random() < bad_hours.get((day, hour), 0.02) for _ in range(events))
            rates.append({"event_date": day, "hour": hour, "events": events, "error_rate": errors / events})
        usual = (9_000 if day.weekday() > 4 else 5_000) * dice.gauss(1, 0.04)
        net = Decimal(round(100 * usual * bad_days.get(day, 1))) / 100
        sales.append({"transaction_date": day, "transactions": dice.randrange(900, 1_100), "net": net})
    frames = {"hourly_errors": both("rates", rates, RATES), "daily_sales": both("sales", sales, SALES)}
    week = replace(night("anomalies", MONDAY, **frames), period=Period("week", MONDAY))
    found = both.rows(compute(week)["anomalies"])
    assert {(row[0], row[1]) for row in found} == {*bad_hours, *((day, None) for day in bad_days)}

    past = "p.{0} < v.{0} AND p.{0} >= v.{0} - INTERVAL 28 DAYS"
    expected = both.sql(
        f"""
        WITH bands AS (
            SELECT v.event_date, v.hour, v.error_rate AS value, median(p.error_rate) AS middle,
                mad(p.error_rate) * 1.4826 AS deviation, (middle * v.events + 1) / (v.events + 2) AS r,
                greatest(deviation, sqrt(r * (1 - r) / v.events)) AS spread
            FROM {{rates}} v JOIN {{rates}} p ON p.hour = v.hour AND {past.format("event_date")}
            GROUP BY v.event_date, v.hour, v.error_rate, v.events
            UNION ALL BY NAME
            SELECT v.transaction_date AS event_date, NULL AS hour, v.net::DOUBLE AS value,
                median(p.net::DOUBLE) FILTER (dayofweek(p.transaction_date) = dayofweek(v.transaction_date)) AS middle,
                mad(p.net::DOUBLE) FILTER (dayofweek(p.transaction_date) = dayofweek(v.transaction_date)) * 1.4826
                    AS deviation, NULL AS r,
                greatest(deviation, middle * 0.05, middle * sqrt(2 / median(p.transactions))) AS spread
            FROM {{sales}} v JOIN {{sales}} p ON {past.format("transaction_date")}
            GROUP BY v.transaction_date, v.net
        )
        SELECT event_date, hour, value, middle, middle - 4 * spread, middle + 4 * spread, (value - middle) / spread
        FROM bands WHERE event_date >= DATE '2026-06-29' AND abs(value - middle) > 4 * spread
        """
    )
    assert [(row[0], row[1]) for row in found] == [(row[0], row[1]) for row in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[3:] == pytest.approx(theirs[2:], rel=1e-9)


def test_without_any_past_nothing_is_an_anomaly(judge: Judge) -> None:
    """The first day of all is what it is."""
    assert judge(rates=[(SUNDAY, 3, 10, 1.0)], sales=[(SUNDAY, 1, 1)]) == []
    assert judge() == []


def test_sales_of_nothing_are_compared_without_complaint(judge: Judge) -> None:
    """Where refunds eat up all sales, the smallest spread is a cent."""
    past = [(day, 0, 0) for day in days_before(SUNDAY, 28)]
    assert judge(sales=[*past, (SUNDAY, 0, 0)]) == []
    assert [row[-1] for row in judge(sales=[*past, (SUNDAY, 1, 1)])] == [100.0]
