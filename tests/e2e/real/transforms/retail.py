"""Lines of invoices, and what a customer bought and brought back on a day."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import lineage


def transform(records: DataFrame) -> dict[str, DataFrame]:
    lines = records.select(
        "invoice_no",
        "stock_code",
        "description",
        "quantity",
        "invoiced_at",
        "unit_price",
        F.regexp_replace("customer_id", r"\.0$", "").alias("customer_id"),
        "country",
        (F.col("unit_price") * F.col("quantity")).cast("decimal(18,2)").alias("amount"),
        F.to_date("invoiced_at").alias("invoice_date"),
        *lineage(records),
    )
    amount = F.col("amount")
    days = lines.groupBy(F.coalesce("customer_id", F.lit("unknown")).alias("customer_id"), "invoice_date").agg(
        F.sum(F.when(amount > 0, amount).otherwise(0)).cast("decimal(18,2)").alias("sales"),
        F.sum(F.when(amount < 0, -amount).otherwise(0)).cast("decimal(18,2)").alias("refunds"),
        F.count("*").alias("lines"),
    )
    return {"retail_lines": lines, "retail_days": days}
