"""Days and sessions, hours and errors."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.nightly import Night
from spark_jobs.nightly.daily_activity import compute

DAY, NEXT_DAY = date(2026, 7, 1), date(2026, 7, 2)
MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("user_id", pa.string()),
        ("status_code", pa.int32()),
        ("event_date", pa.date32()),
    ]
)


def events(spark: SparkSession, *rows: tuple[float, str, int]) -> DataFrame:
    """Minutes after midnight, user, status."""
    timed = [(MIDNIGHT + timedelta(minutes=minutes), user, status) for minutes, user, status in rows]
    return spark.createDataFrame(
        [(time, user, status, time.date()) for time, user, status in timed],
        "event_time timestamp, user_id string, status_code int, event_date date",
    )


def test_a_session_ends_with_a_pause_of_more_than_half_an_hour(
    spark: SparkSession, night: Callable[..., Night], both: Any
) -> None:
    """A gap of exactly 30 minutes does not end it; other users' events and the order of rows do not matter."""
    microsecond = 1 / 60_000_000
    given = events(
        spark, (120 + 30 + microsecond, "u1", 200), (60, "u1", 200), (120, "u1", 200), (90, "u1", 200), (95, "u2", 200)
    )
    assert both.rows(compute(night("daily_activity", DAY, web_events=given))["daily_activity"]) == [(DAY, 5, 2, 3)]


def test_midnight_ends_a_session(spark: SparkSession, night: Callable[..., Night], both: Any) -> None:
    """A day is computed only from its own events, so that late events restate only that day."""
    given = events(spark, (23 * 60 + 59, "u1", 200), (24 * 60 + 1, "u1", 200))
    assert both.rows(compute(night("daily_activity", DAY, web_events=given))["daily_activity"]) == [
        (DAY, 1, 1, 1),
        (NEXT_DAY, 1, 1, 1),
    ]


def test_errors_are_counted_by_hour_from_status_400_on(
    spark: SparkSession, night: Callable[..., Night], both: Any
) -> None:
    """Status 399 is not an error; an hour without events has no row."""
    given = events(spark, (0, "u1", 399), (59, "u1", 400), (59.9, "u2", 500), (10, "u2", 200), (23 * 60, "u1", 404))
    assert both.rows(compute(night("daily_activity", DAY, web_events=given))["hourly_errors"]) == [
        (DAY, 0, 4, 2, 0.5),
        (DAY, 23, 1, 1, 1.0),
    ]


def test_both_tables_are_what_duckdb_makes_of_the_same_events(night: Callable[..., Night], both: Any) -> None:
    """Sessions by another method: an event begins one when the half hour before it holds no other of its user."""
    dice = random.Random(7)
    generated = [
        {"event_time": time, "user_id": f"u{dice.randrange(60)}", "status_code": dice.choice([200, 302, 404, 500])}
        for time in (MIDNIGHT + timedelta(seconds=dice.randrange(2 * 86_400)) for _ in range(4_000))
    ]
    given = both("events", [{**row, "event_date": row["event_time"].date()} for row in generated], SCHEMA)
    frames = compute(night("daily_activity", DAY, web_events=given))
    assert both.rows(frames["daily_activity"]) == both.sql(
        """
        WITH numbered AS (SELECT *, row_number() OVER (ORDER BY event_time, user_id) AS n FROM {events}),
        first AS (
            SELECT * FROM numbered AS e WHERE NOT EXISTS (
                FROM numbered AS b WHERE b.user_id = e.user_id AND b.event_date = e.event_date AND b.n < e.n
                AND b.event_time >= e.event_time - INTERVAL 30 MINUTES
            )
        )
        SELECT event_date, count(*), count(DISTINCT user_id),
            (SELECT count(*) FROM first WHERE first.event_date = numbered.event_date)
        FROM numbered GROUP BY event_date
        """
    )
    assert both.rows(frames["hourly_errors"]) == both.sql(
        """
        SELECT event_date, ((epoch_us(event_time) // 3600000000) % 24)::INT, count(*),
            sum((status_code >= 400)::INT)::BIGINT, sum((status_code >= 400)::INT) / count(*)
        FROM {events} GROUP BY 1, 2
        """
    )
