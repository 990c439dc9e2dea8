"""Fields out of the key."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from spark_jobs.engine.formats import reader_for
from spark_jobs.engine.formats.checks import UnfitError
from spark_jobs.engine.formats.key_fields import key_values
from tests.spark_jobs.reading import sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field, Format

PATTERN = "dt={day}/hour={hour}"


def in_key(name: str, type_: str, **more: Any) -> Field:
    return Field(name, ColumnType.parse(type_), from_key=PATTERN, **more)


DAY, HOUR = in_key("day", "date"), in_key("hour", "int")


def test_values_have_the_declared_types() -> None:
    """Leading zeros and all; what is not there is null."""
    found = key_values([DAY, HOUR], "logs/dt=2026-11-20/hour=07/a")
    assert {name: value.as_py() for name, value in found.items()} == {"day": date(2026, 11, 20), "hour": 7}
    assert [value.as_py() for value in key_values([DAY, HOUR], "logs/a").values()] == [None, None]
    assert key_values([], "logs/a") == {}


@pytest.mark.parametrize(
    ("key", "required", "reason"),
    [
        ("logs/dt=2026-13-20/hour=7/a", False, "the key logs/dt=2026-13-20/hour=7/a: day: '2026-13-20' is not a date"),
        ("logs/a", True, "the key logs/a: day is missing"),
    ],
)
def test_a_key_that_does_not_fit_is_the_files_fault(key: str, required: bool, reason: str) -> None:
    """It is named with the value."""
    with pytest.raises(UnfitError) as raised:
        key_values([in_key("day", "date", required=required)], key)
    assert str(raised.value) == reason


def test_a_file_is_read_without_the_fields_of_its_key() -> None:
    """Columns of a file without a header are the others, in their order."""
    reader = reader_for(Format("csv", header=False), [DAY, Field("n", ColumnType.parse("int")), HOUR])
    assert reader.schema.names == ["n", "_rescued"]
    assert sorted_out(reader, b"5\n")[0] == [{"n": 5, "_rescued": None}]
