"""Formats from objects to tables: the choice of the reader, the transform's input, and the days of the rows."""

from __future__ import annotations

import pytest

from spark_jobs.engine.formats import reader_for
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field, Format

FIELDS = (Field("id", ColumnType.parse("string(64)"), True), Field("at", ColumnType.parse("date")))


@pytest.mark.parametrize("type_", ["json", "csv", "tsv", "parquet", "orc", "avro"])
def test_every_format_has_a_reader_that_reads_nothing_from_nothing(type_: str) -> None:
    """All return the same columns and, for an empty object, only its end."""
    reader = reader_for(Format(type_), FIELDS)
    assert reader.schema.names == ["id", "at", "_rescued"]
    (end,) = reader.read([])
    assert end == (0, None)
