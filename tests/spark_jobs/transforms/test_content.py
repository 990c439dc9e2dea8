"""Views and clicks."""

from __future__ import annotations

from datetime import date

from pyspark.sql import SparkSession

from spark_jobs.transforms import content
from tests.spark_jobs.conftest import LATE, NEXT, NOON, records, rows
from tidemark.core.dataset import Dataset

DAY, NEXT_DAY = date(2026, 7, 1), date(2026, 7, 2)


def test_content_performance_counts_views_and_clicks(spark: SparkSession, declared: dict[str, Dataset]) -> None:
    """By content, site, device and day; where site or device is not known, the row says so and still joins."""
    shown = (NOON, "u1", "c1", 1, "s", "web")
    tables = content.transform(
        records(
            spark,
            declared["content"],
            ("e1", "view", *shown),
            ("e2", "click", *shown),
            ("e3", "view", LATE, None, "c1", None, "s", "web"),
            ("e4", "view", NEXT, "u1", "c1", 1, "s", "web"),
            ("e5", "click", NOON, "u2", "c2", 1, None, None),
        )
    )
    assert rows(tables["content_performance"]) == [
        ("c1", "s", "web", DAY, 2, 1),
        ("c1", "s", "web", NEXT_DAY, 1, 0),
        ("c2", "unknown", "unknown", DAY, 0, 1),
    ]
    kept = tables["content_events"].select("event_id", "site", "event_date", "_file")
    assert rows(kept)[3:] == [("e4", "s", NEXT_DAY, "s3://raw/a"), ("e5", None, DAY, "s3://raw/a")]
