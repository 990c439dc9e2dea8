"""Views and clicks of media content: the events, and the numbers of views and clicks per content."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import lineage

UNKNOWN = "unknown"  # a null key would match nothing in a join


def transform(records: DataFrame) -> dict[str, DataFrame]:
    """Every event, and views and clicks by content, site, device and day."""
    events = content_events(records)
    return {"content_events": events, "content_performance": content_performance(events)}


def content_events(records: DataFrame) -> DataFrame:
    return records.select(
        "event_id",
        "event_type",
        F.col("timestamp").alias("event_time"),
        "user_id",
        "content_id",
        "position",
        "site",
        "device",
        F.to_date("timestamp").alias("event_date"),
        *lineage(records),
    )


def content_performance(events: DataFrame) -> DataFrame:
    return events.groupBy("content_id", known("site"), known("device"), "event_date").agg(
        F.count_if(F.col("event_type") == "view").alias("views"),
        F.count_if(F.col("event_type") == "click").alias("clicks"),
    )


def known(name: str) -> Column:
    return F.coalesce(name, F.lit(UNKNOWN)).alias(name)
