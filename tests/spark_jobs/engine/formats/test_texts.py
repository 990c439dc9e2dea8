"""Columns of text in the declared types."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from spark_jobs.engine.formats.checks import UnfitError, field_check
from spark_jobs.engine.formats.scanner import Number
from spark_jobs.engine.formats.texts import read_as
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field

WHOLE_COLUMNS = [
    ("int", ["17850", "-3", None]),
    ("int", ["17850.0", "1", None]),
    ("bigint", ["9007199254740993"]),
    ("double", ["1.5", "-2"]),
    ("boolean", ["true", "FALSE", "1.0"]),
    ("date", ["2026-02-28"]),
    ("timestamp", ["2026-02-28T10:00:00.5Z", "2026-02-28 10:00:00"]),
    ("timestamp", ["1772272800"]),
    ("timestamp", ["1772272800000"]),
    ("decimal(6,2)", ["12.50", "-3"]),
]


def field(type_: str, **more: Any) -> Field:
    return Field("v", ColumnType.parse(type_), **more)


@pytest.mark.parametrize(("type_", "texts"), WHOLE_COLUMNS)
def test_a_column_is_read_at_once_as_the_checks_read_each_value(type_: str, texts: list[str | None]) -> None:
    """The two ways never differ, or a record's fate would hang on its neighbours."""
    column = read_as(pa.array(texts, pa.string()), [field(type_)])
    assert isinstance(column, pa.Array)
    assert not pa.types.is_string(column.type)
    check = field_check(field(type_))
    one_by_one = [
        check(Number(text) if type_ == "timestamp" and text.isdigit() else text) if text else None for text in texts
    ]
    assert pa.array(one_by_one, column.type) == column


@pytest.mark.parametrize(
    ("type_", "texts"),
    [
        ("int", ["1", "one"]),
        ("int", ["1.5"]),
        ("date", ["2026-02-30"]),
        ("boolean", ["maybe"]),
        ("decimal(4,2)", ["123.4"]),
    ],
)
def test_a_column_with_anything_else_stays_text(type_: str, texts: list[str]) -> None:
    """Its values are checked one by one, and one of them does not fit."""
    column = pa.array(texts, pa.string())
    assert read_as(column, [field(type_)]) is column
    with pytest.raises(UnfitError):
        [field_check(field(type_))(text) for text in texts]


def test_a_declared_unit_counts_before_the_size_of_a_number() -> None:
    """Without a unit, such a small number is told by nobody."""
    [moment] = read_as(pa.array(["1000"]), [field("timestamp", unit="ms")]).to_pylist()  # type: ignore[union-attr]
    assert moment.timestamp() == 1.0
    assert read_as(pa.array(["1000"]), [field("timestamp")]) == [Number("1000")]


def test_a_column_of_two_fields_stays_as_it_is() -> None:
    """Each field has a type of its own; digits stay numbers where one of them is a moment."""
    column = pa.array(["7", "x", None])
    assert read_as(column, [field("int"), field("string(8)")]) is column
    assert read_as(column, [field("timestamp"), field("string(20)")]) == [Number("7"), "x", None]
