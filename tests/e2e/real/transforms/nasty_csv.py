"""Texts as they came."""

from __future__ import annotations

from pyspark.sql import DataFrame

from spark_jobs.transforms import lineage


def transform(records: DataFrame) -> dict[str, DataFrame]:
    return {"nasty_csv": records.select("number", "text", *lineage(records))}
