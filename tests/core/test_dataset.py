"""Datasets, tables and types as values."""

from __future__ import annotations

import pytest

from tidemark.core.dataset import Column, ColumnType, Dataset

TYPES = [
    # declared      Spark            Iceberg           Redshift
    ("string", "string", "string", "VARCHAR(65535)"),
    ("string(256)", "string", "string", "VARCHAR(256)"),
    ("int", "int", "int", "INTEGER"),
    ("bigint", "bigint", "long", "BIGINT"),
    ("double", "double", "double", "DOUBLE PRECISION"),
    ("decimal(12,2)", "decimal(12,2)", "decimal(12, 2)", "DECIMAL(12,2)"),
    (" decimal(38, 0) ", "decimal(38,0)", "decimal(38, 0)", "DECIMAL(38,0)"),
    ("boolean", "boolean", "boolean", "BOOLEAN"),
    ("date", "date", "date", "DATE"),
    ("timestamp", "timestamp", "timestamptz", "TIMESTAMP"),
]


@pytest.mark.parametrize(("declared", "spark", "iceberg", "redshift"), TYPES)
def test_a_type_has_one_name_in_each_engine(declared: str, spark: str, iceberg: str, redshift: str) -> None:
    """The declaration's type is the only source of the three engines' types."""
    found = ColumnType.parse(declared)
    assert (found.spark, found.iceberg, found.redshift) == (spark, iceberg, redshift)


def test_facts_end_with_batch_attempt_file_and_what_was_rescued(dataset: Dataset) -> None:
    """COPY maps by position, so the system's columns come last, in this order."""
    table = dataset.table("web_events")
    assert [column.name for column in table.columns] == ["user_id", "event_date"]
    assert [column.name for column in table.own_columns] == ["_batch_id", "_attempt", "_file", "_rescued"]
    assert table.all_columns[4] == Column("_file", ColumnType("string", (2048,)))
    assert table.physical_name == "web_events"


def test_an_additive_table_is_stored_by_batch(dataset: Dataset) -> None:
    """Its own name is the view's; sums are of no single file, so they carry no file."""
    table = dataset.table("user_activity")
    assert [column.name for column in table.all_columns][-2:] == ["_batch_id", "_attempt"]
    assert (table.physical_name, table.keys, table.sums) == (
        "user_activity_by_batch",
        ("user_id",),
        ("events", "spent"),
    )
