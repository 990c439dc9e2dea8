"""Rows that came in columns."""

from __future__ import annotations

import pyarrow as pa
import pytest

from spark_jobs.engine.decompression.source import DamagedError
from spark_jobs.engine.formats.records import Rejected
from spark_jobs.engine.formats.rows import pieces, same_names
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field

FIELDS = (Field("id", ColumnType.parse("string(8)"), required=True), Field("n", ColumnType.parse("int")))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["n"], "expected a column id, found n"),
        ([], "expected a column id, found "),
        (["id", "n", "n"], "expected one column n, found 2"),
    ],
)
def test_a_file_that_could_keep_no_row_is_refused(names: list[str], words: str) -> None:
    """It lacks what is required, or has a column twice."""
    with pytest.raises(DamagedError) as raised:
        same_names(names, FIELDS)
    assert str(raised.value) == words


def test_a_file_with_none_of_the_declared_columns_is_refused() -> None:
    """Each of its rows would be one of nulls; one declared column is enough."""
    optional = FIELDS[1:]
    same_names(["n", "x"], optional)
    with pytest.raises(DamagedError, match="expected a column n, found x"):
        same_names(["x"], optional)


def test_good_rows_come_as_a_table_and_the_others_by_their_numbers() -> None:
    """Positions count from the first row's number in the file, lines from one more; the raw text is JSON."""
    columns = {"id": pa.array(["a", None, "c"]), "n": pa.array(["1", "2", "x"]), "more": pa.array([None, "y", None])}
    table, rejected = pieces(columns, 3, 10, FIELDS)
    assert isinstance(table, pa.Table)
    assert table.to_pylist() == [{"id": "a", "n": 1, "_rescued": None}]
    assert isinstance(rejected, list)
    assert [(one.position, one.line, one.raw) for one in rejected] == [
        (11, 12, '{"n":"2","more":"y"}'),
        (12, 13, '{"id":"c","n":"x"}'),
    ]
    assert all(isinstance(one, Rejected) and one.reason for one in rejected)


def test_of_only_good_or_only_bad_rows_there_is_one_piece() -> None:
    """And of none there is nothing."""
    good = pieces({"id": pa.array(["a"])}, 1, 0, FIELDS)
    assert [type(piece) for piece in good] == [pa.Table]
    bad = pieces({"id": pa.array([None], pa.string())}, 1, 0, FIELDS)
    assert [type(piece) for piece in bad] == [list]
    assert pieces({"id": pa.array([], pa.string())}, 0, 0, FIELDS) == []
