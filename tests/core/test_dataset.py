"""Datasets and tables as values."""

from __future__ import annotations

from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Dataset


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
