"""Requests to a website: the events, the users' activity, and the failing paths."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import lineage


def transform(records: DataFrame) -> dict[str, DataFrame]:
    """All requests, counts by user and day, and counts of failed requests by status, path and day."""
    events = web_events(records)
    return {"web_events": events, "user_activity": user_activity(events), "error_patterns": error_patterns(events)}


def web_events(records: DataFrame) -> DataFrame:
    return records.select(
        F.col("timestamp").alias("event_time"),
        "user_id",
        "event_type",
        "status_code",
        "method",
        "path",
        "bytes",
        "referrer",
        "user_agent",
        F.to_date("timestamp").alias("event_date"),
        *lineage(records),
    )


def user_activity(events: DataFrame) -> DataFrame:
    return events.groupBy("user_id", "event_date").agg(F.count("*").alias("events"))


def error_patterns(events: DataFrame) -> DataFrame:
    is_error = F.col("status_code") >= 400
    return events.where(is_error).groupBy("status_code", "path", "event_date").agg(F.count("*").alias("errors"))
