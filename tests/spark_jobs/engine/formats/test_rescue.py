"""The JSON text of undeclared fields."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.engine.formats.checks import UnfitError
from spark_jobs.engine.formats.columnar import ColumnarReader
from spark_jobs.engine.formats.rescue import DEPTH_MAX, plain, rescued, rescued_of_objects
from spark_jobs.engine.formats.scanner import Number
from tests.spark_jobs.reading import sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import RESCUED_BYTES_MAX, Field


def test_where_nothing_is_unknown_nothing_is_kept() -> None:
    """Null, and not an empty object: most records are so, and null costs no storage."""
    assert rescued({}) is None


def test_numbers_stand_as_they_were_written() -> None:
    """Digits, zeros and exponents do not change, at any depth."""
    unknown = {"cents": Number("1.50"), "id": Number("123456789012345678901"), "deep": [{"e": Number("1E+2")}]}
    assert rescued(unknown) == '{"cents":1.50,"id":123456789012345678901,"deep":[{"e":1E+2}]}'


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_json_has_no_number_for_is_kept_as_text(text: str) -> None:
    """So readers of the column can parse it."""
    assert rescued({"x": Number(text)}) == f'{{"x":"{text}"}}'


def test_half_of_a_surrogate_pair_stays_an_escape() -> None:
    """UTF-8 cannot hold it; other text stays readable."""
    assert rescued({"é": "\ud800é", "ü": "\u0000\n"}) == '{"é":"\\ud800\\u00e9","ü":"\\u0000\\n"}'


def test_unknown_fields_that_are_too_long_or_too_deep_are_refused() -> None:
    """Cutting JSON would leave none: the record is rejected, and says why."""
    assert len(rescued({"x": "y" * (RESCUED_BYTES_MAX - 8)}) or "") == RESCUED_BYTES_MAX
    with pytest.raises(UnfitError, match="unknown fields: 32769 bytes, at most 32768"):
        rescued({"x": "é" + "y" * (RESCUED_BYTES_MAX - 9)})
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UnfitError, match="nested too deeply"):
        rescued({"x": deep})


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), JSON, min_size=1, max_size=4))
def test_what_is_kept_reads_back_as_what_came(record: Mapping[str, Any]) -> None:
    """The text is JSON, and holds the same names and values in the same order."""
    text = rescued(plain(record))
    assert text is not None
    assert json.loads(text) == record
    assert list(json.loads(text)) == list(record)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c", "é"]), JSON, max_size=3), max_size=4), st.booleans())
def test_each_of_many_objects_keeps_its_own(records: list[dict[str, Any]], lines: bool) -> None:
    """Object by object, the same as one by one; what is known is left out."""
    text = ("\n" if lines else "").join(json.dumps(record) for record in records)
    kept = rescued_of_objects(text, {"a": None})
    assert [json.loads(one) if one else {} for one in kept] == [
        {name: value for name, value in record.items() if name != "a"} for record in records
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("12.50"), Number("12.50")),
        (Decimal("1E+3"), Number("1000")),
        (0.1, Number("0.1")),
        (float("-inf"), Number("-Infinity")),
        (7, Number("7")),
        (True, True),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006Z"),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:00:00Z"),
        (datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),  # noqa: DTZ001 -- it has none
        (date(2026, 1, 2), "2026-01-02"),
        (time(1, 2, 3), "01:02:03"),
        (timedelta(minutes=1, milliseconds=500), Number("60.5")),
        (b"text", "text"),
        (b"\xff", b"\xff"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({1: [b"a", (None,)]}, {"1": ["a", [None]]}),
        ({True: 1, None: 2}, {"true": Number("1"), "null": Number("2")}),
        ([(date(2026, 1, 2), -0.0), (Decimal("1.50"), b"\xff")], {"2026-01-02": Number("-0.0"), "1.50": b"\xff"}),
        ([(b"\xff", None), ({"a": 1}, None)], {"/w==": None, '{"a":1}': None}),
        ("\udcff", b"\xff"),
        (Decimal("1E-999999"), Number("1E-999999")),
        (Decimal("sNaN"), Number("NaN")),
    ],
    ids=repr,
)
def test_values_of_other_formats_become_those_of_json(value: object, expected: object) -> None:
    """One set of checks serves all formats; numbers keep all their digits."""
    assert plain(value) == expected
    assert isinstance(plain(value), Number) == isinstance(expected, Number)


def test_depth_is_refused_where_every_python_can_still_read_it() -> None:
    """The bound is a number, and no accident of the stack; a value of another format is refused at the same one."""
    deep: Any = 1
    for _ in range(DEPTH_MAX - 1):
        deep = {"x": deep}
    assert rescued(plain({"x": deep})) == '{"x":' * DEPTH_MAX + "1" + "}" * DEPTH_MAX
    with pytest.raises(UnfitError, match="nested too deeply"):
        rescued(plain({"x": [deep]}))


def test_a_zero_byte_stays_an_escape() -> None:
    """The column's text has none, so the warehouse takes it."""
    assert rescued({"x\0": "\0"}) == '{"x\\u0000":"\\u0000"}'


def test_bytes_that_are_no_text_are_kept_in_base64() -> None:
    """JSON has no bytes."""
    assert rescued({"x": b"\xff\x00"}) == '{"x":"/wA="}'


def kept_of_parquet(column: pa.Array) -> list[str | None]:
    """The rescued text of an undeclared column."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array(range(len(column))), "u": column}), sink)
    rows, rejected, end = sorted_out(ColumnarReader("parquet", [Field("id", ColumnType("bigint"))]), sink.getvalue())
    assert (rejected, end.problem) == ([], None)
    return [row["_rescued"] for row in rows]


NO_TEXT = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xffx"))


@pytest.mark.parametrize(
    ("column", "kept"),
    [
        (pa.array([[(1, 2.0)]], pa.map_(pa.int64(), pa.float64())), '{"1":2.0}'),
        (pa.array([[(True, None)]], pa.map_(pa.bool_(), pa.int64())), '{"true":null}'),
        (pa.array([[(date(2026, 1, 2), "x")]], pa.map_(pa.date32(), pa.string())), '{"2026-01-02":"x"}'),
        (pa.array([[(1, "old"), (1, "new")]], pa.map_(pa.int64(), pa.string())), '{"1":"new"}'),
        (pa.array([[({"a": 1}, 2)]], pa.map_(pa.struct([("a", pa.int64())]), pa.int64())), '{"{\\"a\\":1}":2}'),
        (pa.array([[]], pa.map_(pa.int64(), pa.string())), "{}"),
        (pa.array([[b"\xff", b"x"]]), '["/w==","x"]'),
        (NO_TEXT, '"/3g="'),
        (pa.StructArray.from_arrays([NO_TEXT], ["s"]), '{"s":"/3g="}'),
        (pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), NO_TEXT), '["/3g="]'),
        (pa.array(["a\0b"]), '"a\\u0000b"'),
        (pa.array([-0.0]), "-0.0"),
        (pa.array([float("nan")]), '"NaN"'),
        (pa.array([Decimal("1E+3")], pa.decimal128(6, 2)), "1000.00"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.type),
)
def test_what_parquet_holds_is_spelled_as_json_spells_it(column: pa.Array, kept: str) -> None:
    """Keys of any type, equal keys, bytes, invalid texts, and numbers that JSON lacks, at any depth."""
    assert kept_of_parquet(column) == [f'{{"u":{kept}}}']
