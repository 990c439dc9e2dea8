"""What is clicked most readily, as far as the numbers allow to say so."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from spark_jobs.nightly import Night
from spark_jobs.nightly.content_ranking import compute, content_ranking

DAY = date(2026, 7, 28)
COLUMNS = "content_id string, site string, device string, event_date date, views bigint, clicks bigint"
SCHEMA = pa.schema(
    [
        ("content_id", pa.string()),
        ("site", pa.string()),
        ("device", pa.string()),
        ("event_date", pa.date32()),
        ("views", pa.int64()),
        ("clicks", pa.int64()),
    ]
)


def ranked(spark: SparkSession, *rows: tuple[str, int, int], ranks: int = 20) -> list[tuple[Any, ...]]:
    """Content, views and clicks in; rank, content, rate and bound out, of one site and device."""
    frame = spark.createDataFrame([(content, "s", "d", DAY, views, clicks) for content, views, clicks in rows], COLUMNS)
    return [
        (row["rank"], row["content_id"], row["click_through_rate"], round(row["lower_bound"], 4))
        for row in content_ranking(frame, ranks).orderBy("rank").collect()
    ]


def test_one_click_of_one_view_does_not_win(spark: SparkSession) -> None:
    """Half of a thousand says more than all of one."""
    assert ranked(spark, ("lucky", 1, 1), ("proven", 1_000, 500)) == [
        (1, "proven", 0.5, 0.4691),
        (2, "lucky", 1.0, 0.2065),
    ]


def test_equal_bounds_are_told_apart_by_views_then_by_name(spark: SparkSession) -> None:
    """So that a computation made twice gives one answer; what is beyond the ranks is left out."""
    assert [row[1] for row in ranked(spark, ("b", 9, 0), ("a", 9, 0), ("z", 10, 0), ("c", 1, 0), ranks=3)] == [
        "z",
        "a",
        "b",
    ]


def test_clicks_that_came_before_their_views_count_as_one_each_at_most(spark: SparkSession) -> None:
    """No view, no rank; more clicks than views are no better than as many."""
    assert ranked(spark, ("early", 0, 3), ("odd", 10, 12), ("sure", 10, 10)) == [
        (1, "odd", 1.2, 0.7225),
        (2, "sure", 1.0, 0.7225),
    ]


def test_the_ranking_is_what_duckdb_makes_of_the_same_sums(night: Callable[..., Night], both: Any) -> None:
    """Sites and devices that are not known are a group of their own; days are summed first."""
    dice = random.Random(3)
    generated = [
        {
            "content_id": f"c{dice.randrange(50)}",
            "site": dice.choice([None, "one", "two"]),
            "device": dice.choice(["phone", "desk"]),
            "event_date": DAY - timedelta(days=dice.randrange(28)),
            "views": dice.randrange(40),
            "clicks": dice.randrange(3),
        }
        for _ in range(3_000)
    ]
    given = both("performance", generated, SCHEMA)
    found = both.rows(compute(night("content_ranking", DAY, content_performance=given))["content_ranking"])
    expected = both.sql(
        """
        WITH sums AS (
            SELECT site, device, content_id, sum(views)::BIGINT AS n, sum(clicks)::BIGINT AS k
            FROM {performance} GROUP BY ALL HAVING n > 0
        ), scored AS (
            SELECT *, (k + 1.9207294103 - 1.959963984540054 * sqrt(k * (n - k) / n + 0.96036470515))
                / (n + 3.8414588207) AS bound FROM sums
        )
        SELECT DATE '2026-07-28', site, device, row_number() OVER best AS rank, content_id, n, k, k / n, bound
        FROM scored WINDOW best AS (PARTITION BY site, device ORDER BY bound DESC, n DESC, content_id)
        QUALIFY rank <= 20
        """
    )
    assert [row[:-1] for row in found] == [row[:-1] for row in expected]
    assert [row[-1] for row in found] == pytest.approx([row[-1] for row in expected], abs=1e-9)
    assert len(found) == 6 * 20
