"""Money by day, and the products that brought it in."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.nightly import Night
from spark_jobs.nightly.daily_sales import compute, top_products

DAY, NEXT_DAY = date(2026, 7, 1), date(2026, 7, 2)
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("amount", pa.decimal128(12, 2)),
        ("quantity", pa.int32()),
        ("product_id", pa.string()),
        ("transaction_date", pa.date32()),
    ]
)


def transactions(spark: SparkSession, *rows: tuple[str, str, int | None, str | None]) -> DataFrame:
    """User, amount, quantity, product; all of one day."""
    return spark.createDataFrame(
        [(user, Decimal(amount), quantity, product, DAY) for user, amount, quantity, product in rows],
        "user_id string, amount decimal(12,2), quantity int, product_id string, transaction_date date",
    )


def test_refunds_are_told_apart_from_sales(spark: SparkSession, night: Callable[..., Night], both: Any) -> None:
    """Above zero a sale, below zero a refund, zero neither; cents add up exactly."""
    given = transactions(
        spark, ("u1", "0.10", 1, "a"), ("u1", "0.20", 1, "a"), ("u2", "-0.70", -1, "b"), ("u3", "0.00", 1, None)
    )
    assert both.rows(compute(night("daily_sales", DAY, transactions=given))["daily_sales"]) == [
        (DAY, 4, 3, Decimal("0.30"), Decimal("0.70"), 1, Decimal("-0.40"))
    ]


def test_a_day_of_refunds_alone_has_no_gross(spark: SparkSession, night: Callable[..., Night], both: Any) -> None:
    """Zero, not nothing."""
    given = transactions(spark, ("u1", "-5.00", None, None))
    frames = compute(night("daily_sales", DAY, transactions=given))
    assert both.rows(frames["daily_sales"]) == [(DAY, 1, 1, Decimal("0.00"), Decimal("5.00"), 1, Decimal("-5.00"))]
    assert both.rows(frames["top_products"]) == []


def test_products_are_ranked_by_what_they_brought_in(spark: SparkSession, both: Any) -> None:
    """Net of refunds; of equal ones the lower number comes first; a line without a product has no place."""
    given = transactions(
        spark,
        ("u1", "5.00", 1, "b"),
        ("u1", "5.00", None, "a"),
        ("u2", "9.00", 3, "c"),
        ("u2", "-6.00", -2, "c"),
        ("u3", "99.00", 1, None),
    )
    assert both.rows(top_products(given, 2)) == [
        (DAY, 1, "a", Decimal("5.00"), 0),
        (DAY, 2, "b", Decimal("5.00"), 1),
    ]


def test_both_tables_are_what_duckdb_makes_of_the_same_transactions(night: Callable[..., Night], both: Any) -> None:
    """Three thousand lines of two days, with refunds, gaps and ties."""
    dice = random.Random(11)
    generated = [
        {
            "user_id": f"u{dice.randrange(300)}",
            "amount": Decimal(dice.randrange(-20, 100)) / 4,
            "quantity": dice.choice([None, 1, 2, 3]),
            "product_id": dice.choice([None, *(f"p{number}" for number in range(40))]),
            "transaction_date": dice.choice([DAY, NEXT_DAY]),
        }
        for _ in range(3_000)
    ]
    frames = compute(night("daily_sales", DAY, transactions=both("sales", generated, SCHEMA)))
    assert both.rows(frames["daily_sales"]) == both.sql(
        """
        SELECT transaction_date, count(*), count(DISTINCT user_id), sum(amount) FILTER (amount > 0),
            -sum(amount) FILTER (amount < 0), count(*) FILTER (amount < 0), sum(amount)
        FROM {sales} GROUP BY ALL
        """
    )
    assert both.rows(frames["top_products"]) == both.sql(
        """
        SELECT transaction_date, rank() OVER best AS rank, product_id, amount, quantity FROM (
            SELECT transaction_date, product_id, sum(amount) AS amount, sum(quantity)::BIGINT AS quantity
            FROM {sales} WHERE product_id IS NOT NULL GROUP BY ALL
        ) WINDOW best AS (PARTITION BY transaction_date ORDER BY amount DESC, product_id) QUALIFY rank <= 10
        """
    )
