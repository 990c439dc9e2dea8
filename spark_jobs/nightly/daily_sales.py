"""Sales per day, and the products with the highest sales. Money is decimal throughout.

A positive amount is a sale, a negative amount a refund; `net` is their sum. A product's amount is net of its refunds.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.nightly import Night

MONEY = "decimal(18,2)"


def compute(night: Night) -> dict[str, DataFrame]:
    """Totals by day, and each day's best-selling products."""
    transactions = night.tables["transactions"]
    return {
        "daily_sales": daily_sales(transactions),
        "top_products": top_products(transactions, night.parameters["ranks"]),
    }


def daily_sales(transactions: DataFrame) -> DataFrame:
    """One row per day; `refunds` is a positive number."""
    amount = F.col("amount")
    return transactions.groupBy("transaction_date").agg(
        F.count("*").alias("transactions"),
        F.countDistinct("user_id").alias("buyers"),
        _money(F.when(amount > 0, amount)).alias("gross"),
        _money(F.when(amount < 0, -amount)).alias("refunds"),
        F.count_if(amount < 0).alias("refund_count"),
        _money(amount).alias("net"),
    )


def _money(amount: Column) -> Column:
    return F.coalesce(F.sum(amount), F.lit(0)).cast(MONEY)


def top_products(transactions: DataFrame, ranks: int) -> DataFrame:
    """At most `ranks` products per day, by amount; ties go to the lower `product_id`."""
    products = (
        transactions.where("product_id IS NOT NULL")
        .groupBy("transaction_date", "product_id")
        .agg(_money(F.col("amount")).alias("amount"), F.coalesce(F.sum("quantity"), F.lit(0)).alias("quantity"))
    )
    best_first = Window.partitionBy("transaction_date").orderBy(F.desc("amount"), "product_id")
    ranked = products.withColumn("rank", F.row_number().over(best_first)).where(F.col("rank") <= ranks)
    return ranked.select("transaction_date", "rank", "product_id", "amount", "quantity")
