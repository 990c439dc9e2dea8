"""Households as exported. The `latest` table, not the batch, determines each household's latest row."""

from __future__ import annotations

from pyspark.sql import DataFrame

from spark_jobs.transforms import lineage


def transform(records: DataFrame) -> dict[str, DataFrame]:
    """All rows of all exports."""
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
