"""Exports of households."""

from __future__ import annotations

from pyspark.sql import SparkSession

from spark_jobs.transforms import customers
from tests.spark_jobs.conftest import records, rows
from tidemark.core.dataset import Dataset


def test_customers_are_every_row_of_every_export(spark: SparkSession, declared: dict[str, Dataset]) -> None:
    """Two rows of one household are both kept: which is the latest, other batches may have a say in."""
    bands = ("50-74K", None, "Married", "5+", "2 Adults Kids", "3+")
    exported = records(spark, declared["customers"], ("h1", "35-44", *bands), ("h1", "45-54", *bands))
    assert rows(customers.transform(exported)["customers"].select("household_id", "age", "home_ownership")) == [
        ("h1", "35-44", None),
        ("h1", "45-54", None),
    ]
