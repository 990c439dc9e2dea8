"""The activity of the site's visitors per day, and the site's errors per hour.

A session is a sequence of a user's events on one day with no gap longer than `session_gap_minutes`. Midnight (UTC) also
ends a session: a day is computed only from its own events, so that late events restate only that day.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.nightly import Night


def compute(night: Night) -> dict[str, DataFrame]:
    """Events, users and sessions by day; events and failed requests by hour."""
    events = night.tables["web_events"]
    return {
        "daily_activity": daily_activity(events, night.parameters["session_gap_minutes"]),
        "hourly_errors": hourly_errors(events),
    }


def daily_activity(events: DataFrame, gap_minutes: int) -> DataFrame:
    """One row per day. A gap of exactly `gap_minutes` does not end a session."""
    micros = F.unix_micros("event_time")
    pause = micros - F.lag(micros).over(Window.partitionBy("user_id", "event_date").orderBy("event_time"))
    begins = F.when(pause <= gap_minutes * 60_000_000, 0).otherwise(1)
    users = (
        events.select("user_id", "event_date", begins.alias("begins"))
        .groupBy("user_id", "event_date")
        .agg(F.count("*").alias("events"), F.sum("begins").alias("sessions"))
    )
    return users.groupBy("event_date").agg(
        F.sum("events").alias("events"), F.count("*").alias("users"), F.sum("sessions").alias("sessions")
    )


def hourly_errors(events: DataFrame) -> DataFrame:
    """One row per hour with events; status codes from 400 on are errors."""
    counted = events.groupBy("event_date", F.hour("event_time").alias("hour")).agg(
        F.count("*").alias("events"), F.count_if(F.col("status_code") >= 400).alias("errors")
    )
    return counted.withColumn("error_rate", F.col("errors") / F.col("events"))
