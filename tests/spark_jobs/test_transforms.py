"""What every transform promises of its tables."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from spark_jobs.engine import writer
from spark_jobs.transforms import content, customers, transactions, web_logs
from tests.spark_jobs.conftest import records, schema
from tidemark.core.dataset import Dataset

MODULES = {"web_logs": web_logs, "transactions": transactions, "content": content, "customers": customers}


@pytest.mark.parametrize("name", MODULES)
def test_every_table_is_as_declared(spark: SparkSession, declared: dict[str, Dataset], name: str) -> None:
    """Columns in the order of COPY, of the declared types, then the system's columns."""
    dataset = declared[name]
    frames = MODULES[name].transform(records(spark, dataset))
    for table in dataset.tables:
        conforming = writer.conforming(frames[table.name], table, "web_logs.20260701T120000.0a1b2c3d", 2)
        assert schema(conforming) == [(column.name, column.type.spark) for column in table.all_columns]
