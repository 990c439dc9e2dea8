"""Line items of retail baskets, and each customer's daily spend. Money is decimal throughout."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import lineage


def transform(records: DataFrame) -> dict[str, DataFrame]:
    """All transactions, and totals by user and day."""
    facts = transactions(records)
    return {"transactions": facts, "daily_user_totals": daily_user_totals(facts)}


def transactions(records: DataFrame) -> DataFrame:
    return records.select(
        "transaction_id",
        "user_id",
        F.col("timestamp").alias("event_time"),
        "amount",
        "quantity",
        "store_id",
        "product_id",
        "discount",
        F.to_date("timestamp").alias("transaction_date"),
        *lineage(records),
    )


def daily_user_totals(facts: DataFrame) -> DataFrame:
    return facts.groupBy("user_id", "transaction_date").agg(
        F.sum("amount").cast("decimal(18,2)").alias("total_amount"),
        F.count("*").alias("transactions"),
    )
