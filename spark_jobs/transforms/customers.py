"""Households as exported. Which row of a household is the latest is for its table to say, not for a batch."""

from __future__ import annotations

from pyspark.sql import DataFrame

from spark_jobs.transforms import lineage


def transform(records: DataFrame) -> dict[str, DataFrame]:
    """Every row of every export."""
    return {"customers": customers(records)}


def customers(records: DataFrame) -> DataFrame:
    return records.select(
        "household_id",
        "age",
        "income",
        "home_ownership",
        "marital_status",
        "household_size",
        "household_comp",
        "kids_count",
        *lineage(records),
    )
