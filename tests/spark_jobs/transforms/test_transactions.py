"""Purchases, and their totals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pyspark.sql import SparkSession

from spark_jobs.transforms import transactions
from tests.spark_jobs.conftest import NOON, records, rows
from tidemark.core.dataset import Dataset

DAY, NEXT_DAY = date(2026, 7, 1), date(2026, 7, 2)


def test_daily_totals_add_cents_exactly(spark: SparkSession, declared: dict[str, Dataset]) -> None:
    """As doubles, ten times 0.10 would not be 1.00."""
    line = (Decimal("0.10"), 1, "s", "p", Decimal(0))
    sales = records(spark, declared["transactions"], *((f"t{n}", "u1", NOON, *line) for n in range(10)))
    tables = transactions.transform(sales)
    assert rows(tables["daily_user_totals"]) == [("u1", DAY, Decimal("1.00"), 10)]
    assert rows(tables["transactions"])[0][:2] == ("t0", "u1")
