"""Requests, users and errors."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tests.spark_jobs.conftest import rows, schema

DAY, NEXT_DAY = date(2026, 7, 1), date(2026, 7, 2)


def test_web_events_are_the_records_with_their_day(requests: dict[str, DataFrame]) -> None:
    """Days are UTC days, regardless of the machine's time zone."""
    events = requests["web_events"]
    assert [name for name, _ in schema(events)][:2] == ["event_time", "user_id"]
    assert schema(events)[-2:] == [("event_date", "date"), ("_file", "string")]
    days = events.select(F.date_format("event_time", "HH:mm"), "event_date", "_file")
    assert rows(days)[0] == ("00:00", NEXT_DAY, "s3://raw/a")
    assert rows(days)[-1] == ("23:59", DAY, "s3://raw/a")


def test_user_activity_counts_requests_by_user_and_day(requests: dict[str, DataFrame]) -> None:
    """It adds up over batches."""
    assert rows(requests["user_activity"]) == [("u1", DAY, 2), ("u1", NEXT_DAY, 1), ("u2", DAY, 2)]


def test_error_patterns_count_requests_from_status_400_on(requests: dict[str, DataFrame]) -> None:
    """By status, path and day; 399 is no error."""
    assert rows(requests["error_patterns"]) == [(404, "/x", DAY, 1), (404, "/x", NEXT_DAY, 1), (500, "/x", DAY, 1)]
