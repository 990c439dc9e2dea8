"""What fits a field: declared values, epoch numbers, spellings of true and false, numbers at the edges."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.engine.formats.checks import (
    NUMBER,
    TIMESTAMP_MAX,
    TIMESTAMP_MIN,
    UnfitError,
    field_check,
    row_check,
    value_check,
)
from spark_jobs.engine.formats.delimited import DelimitedReader
from spark_jobs.engine.formats.records import RecordReader
from spark_jobs.engine.formats.scanner import Number
from tests.spark_jobs.reading import sorted_out
from tidemark.core.column_types import EPOCH_UNITS, ColumnType
from tidemark.core.dataset import Field, Format
from tidemark.core.job import Rejected

STRING = ColumnType("string", (16,))
EVENT_TYPE = Field("event_type", STRING, values=("view", "click"))
NOT_JSON = b"oops\n"  # sends its whole block the exact way


@pytest.mark.parametrize("said", ["hover", "View", "", "view "])
def test_a_value_that_is_not_declared_is_named_beside_those_that_are(said: str) -> None:
    """The reason shows the value and the declared values; case and blanks are significant."""
    with pytest.raises(UnfitError) as raised:
        row_check([EVENT_TYPE])({"event_type": said})
    assert str(raised.value) == f"event_type: {said!r} is not one of view, click"


def test_a_declared_value_passes_as_it_is() -> None:
    """The enumeration changes nothing of what it lets through, and null is for `required` to judge."""
    assert field_check(EVENT_TYPE)("click") == "click"
    assert row_check([EVENT_TYPE])({"event_type": None}) == [None]


def test_a_field_without_values_says_anything() -> None:
    """An empty list of values means no restriction, since it would otherwise allow nothing."""
    assert field_check(Field("event_type", STRING))("hover") == "hover"


@pytest.mark.parametrize("neighbour", [b"", NOT_JSON], ids=["fast", "exact"])
def test_only_records_with_declared_values_are_kept(neighbour: bytes) -> None:
    """The vectorised parser and the exact scanner accept the same values."""
    said = ["view", "hover", None, "click", "CLICK"]
    lines = b"".join(json.dumps({"event_type": one}).encode() + b"\n" for one in said)
    *pieces, _ = RecordReader([EVENT_TYPE]).read([neighbour + lines])
    kept = [row["event_type"] for piece in pieces if isinstance(piece, pa.Table) for row in piece.to_pylist()]
    rejected: list[Rejected] = [one for piece in pieces if isinstance(piece, list) for one in piece]
    assert kept == ["view", None, "click"]
    assert [one.reason for one in rejected if "not one of" in one.reason] == [
        "event_type: 'hover' is not one of view, click",
        "event_type: 'CLICK' is not one of view, click",
    ]
    assert len(rejected) == (3 if neighbour else 2)


def test_records_with_declared_values_go_the_fast_way() -> None:
    """A block in which every value is declared is one table: nothing sent it the slow way."""
    lines = b'{"event_type":"view"}\n{"event_type":null}\n' * 3
    table = RecordReader([EVENT_TYPE])._parse(lines)
    assert table is not None
    assert table.num_rows == 6


# ---------------------------------------------------------------------------------------------- epoch numbers

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNDECLARED = "may count seconds or parts of them since 1970: declare the field's `unit`"


def moment(value: Any, unit: str = "") -> Any:
    """The timestamp, or the reason for its rejection."""
    try:
        return EPOCH + timedelta(microseconds=value_check(ColumnType("timestamp"), unit)(value))
    except UnfitError as error:
        return str(error)


def of(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [
        ("73872000000", "ms", of(1972, 5, 5)),
        ("73872000000", "", f"73872000000 {UNDECLARED}"),
        ("-86400000", "ms", of(1969, 12, 31)),
        ("-86400000", "", f"-86400000 {UNDECLARED}"),
        ("1431857103", "s", of(2015, 5, 17, 10, 5, 3)),
        ("1431857103", "ms", of(1970, 1, 17, 13, 44, 17, 103000)),
        ("1431857103.5", "", of(2015, 5, 17, 10, 5, 3, 500000)),
        ("1431857103000000000", "", of(2015, 5, 17, 10, 5, 3)),
        ("1431857103000000001", "ns", of(2015, 5, 17, 10, 5, 3)),
        ("-1", "ns", of(1969, 12, 31, 23, 59, 59, 999999)),
        ("1431857103.99999999999999999999999999999999", "", of(2015, 5, 17, 10, 5, 3, 999999)),
        ("0", "", EPOCH),
        ("-0.0", "us", EPOCH),
        ("99999999", "", f"99999999 {UNDECLARED}"),
        ("100000000", "", of(1973, 3, 3, 9, 46, 40)),
        ("4102444799999", "", of(2099, 12, 31, 23, 59, 59, 999000)),
        ("4102444800", "", f"4102444800 {UNDECLARED}"),
        ("4102444800", "s", of(2100, 1, 1)),
        ("253402300799", "s", of(9999, 12, 31, 23, 59, 59)),
        ("253402300800", "s", "253402300800 seconds since 1970 are out of range for timestamp"),
        ("1e400", "ms", "1e400 milliseconds since 1970 are out of range for timestamp"),
        ("1E-400", "s", EPOCH),
        ("NaN", "s", "NaN is not a timestamp"),
    ],
)
def test_a_number_counts_its_declared_unit_or_one_that_it_can_only_mean(number: str, unit: str, expected: Any) -> None:
    """Without a unit, a number that lies outside March 1973 to 2100 in all units is rejected with a hint."""
    assert moment(Number(number), unit) == expected


def test_no_number_is_guessed_in_two_ways() -> None:
    """By any other unit a guessed number lies in the first 48 days of 1970 or after the year 5000."""
    for unit, per_second in EPOCH_UNITS.items():
        for number in (100_000_000 * per_second, 4_102_444_800 * per_second - 1):
            assert moment(Number(str(number))) == moment(Number(str(number)), unit)
            for other in EPOCH_UNITS.keys() - {unit}:
                found = moment(Number(str(number)), other)
                assert isinstance(found, str) or not of(1970, 2, 18) <= found < of(5000, 1, 1)


def test_a_declared_unit_is_for_numbers_alone() -> None:
    """It also applies to digits in quotes; a timestamp as text needs no unit."""
    assert moment("73872000000", "ms") == of(1972, 5, 5)
    assert moment("73872000000") == "'73872000000' is not a timestamp"
    assert moment("1972-05-05", "ms") == of(1972, 5, 5)


def parquet(column: pa.Array) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"at": column}), sink)
    return sink.getvalue()


def avro(numbers: list[int]) -> bytes:
    sink = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": [{"name": "at", "type": "long"}]}
    fastavro.writer(sink, schema, [{"at": number} for number in numbers])
    return sink.getvalue()


@given(
    st.lists(st.integers(-(10**18), 10**18) | st.integers(-(10**12), 10**13), min_size=1, max_size=4),
    st.sampled_from(["", "s", "ms", "us", "ns"]),
)
def test_a_number_is_the_same_moment_in_every_format(numbers: list[int], unit: str) -> None:
    """Or it is rejected in all of them, whether a whole column is converted or each value is checked."""
    from spark_jobs.engine.formats.avro import AvroReader
    from spark_jobs.engine.formats.columnar import ColumnarReader

    field = Field("at", ColumnType("timestamp"), unit=unit)
    lines = "\n".join(f'{{"at":{number}}}' for number in numbers).encode()
    bodies: list[tuple[Any, bytes]] = [
        (RecordReader([field]), lines),
        (DelimitedReader(Format("csv"), [field]), "\n".join(["at", *map(str, numbers)]).encode()),
        (ColumnarReader("parquet", [field]), parquet(pa.array(numbers, pa.int64()))),
        (AvroReader([field]), avro(numbers)),
    ]
    results = [sorted_out(reader, body) for reader, body in bodies]
    kept = [[row["at"] for row in rows] for rows, _, _ in results]
    reasons = [[one.reason for one in rejected] for _, rejected, _ in results]
    assert kept == [kept[0]] * 4
    assert reasons == [reasons[0]] * 4
    each = [moment(Number(str(number)), unit) for number in numbers]
    assert kept[0] == [one for one in each if not isinstance(one, str)]


# ---------------------------------------------------------------------------------------------- true and false

SPELLINGS = {
    True: ["true", "True", "TRUE", "t", "T", "yes", "Y", "on", "1", "1.0"],
    False: ["false", "False", "FALSE", "f", "F", "no", "N", "off", "0", "0.0"],
}


@pytest.mark.parametrize(("meant", "spelling"), [(meant, one) for meant, some in SPELLINGS.items() for one in some])
def test_true_and_false_are_read_in_their_usual_spellings(meant: bool, spelling: str) -> None:
    """In JSON and CSV, and in a column with or without spellings that only the checks accept."""
    field = Field("ok", ColumnType("boolean"))
    assert value_check(field.type)(spelling) is meant
    assert sorted_out(RecordReader([field]), f'{{"ok":"{spelling}"}}'.encode())[0][0]["ok"] is meant
    for beside in ("", "1.00\n"):
        rows, rejected, _ = sorted_out(DelimitedReader(Format("csv"), [field]), f"ok\n{beside}{spelling}\n".encode())
        assert (rows[-1]["ok"], rejected) == (meant, [])


@pytest.mark.parametrize("spelling", ["", "2", "-1", "10", "maybe", " true", "1.5", "ja", "truee", "none"])
def test_what_spells_neither_is_rejected(spelling: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UnfitError, match="is neither true nor false"):
        value_check(ColumnType("boolean"))(spelling)


def test_numbers_one_and_zero_are_true_and_false() -> None:
    """In JSON, in whole numbers of Parquet, and in the doubles that pandas makes of booleans with nulls."""
    field = Field("ok", ColumnType("boolean"))
    assert [row["ok"] for row in sorted_out(RecordReader([field]), b'{"ok":1}{"ok":0}{"ok":1.0}')[0]] == [
        True,
        False,
        True,
    ]
    from spark_jobs.engine.formats.columnar import ColumnarReader

    for column in (pa.array([1, 0, None]), pa.array([1.0, 0.0, None])):
        sink = io.BytesIO()
        pq.write_table(pa.table({"ok": column}), sink)
        rows, _, _ = sorted_out(ColumnarReader("parquet", [field]), sink.getvalue())
        assert [row["ok"] for row in rows] == [True, False, None]


# ---------------------------------------------------------------------------------------------- the edges


@pytest.mark.parametrize("body", [rb'{"s":"a\u0000b"}', b'{"s":"a\0b"}', rb'{"s":"\u0000"}'])
@pytest.mark.parametrize("neighbour", [b"", NOT_JSON], ids=["fast", "exact"])
def test_a_text_with_a_zero_byte_is_rejected(body: bytes, neighbour: bytes) -> None:
    """Redshift cannot take it, raw or escaped; its neighbours stay."""
    rows, rejected, _ = sorted_out(
        RecordReader([Field("s", STRING)]), neighbour + b'{"s":"x"}' + body + rb'{"s":"\\u0000"}'
    )
    assert [row["s"] for row in rows] == ["x", "\\u0000"]
    assert rejected[-1].reason == "s: a zero byte"


def test_a_zero_byte_is_found_in_every_kind_of_text_column() -> None:
    """Dictionaries, views of a larger column and bytes, too."""
    from spark_jobs.engine.formats.columnar import ColumnarReader

    for column in (pa.array(["a\0", "b"]), pa.array(["a\0", "b"]).dictionary_encode(), pa.array([b"a\0", b"b"])):
        sink = io.BytesIO()
        pq.write_table(pa.table({"s": column}), sink)
        rows, rejected, _ = sorted_out(ColumnarReader("parquet", [Field("s", STRING)]), sink.getvalue())
        assert ([row["s"] for row in rows], [one.reason for one in rejected]) == (["b"], ["s: a zero byte"])


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59.999999-00:01",
        "2016-12-31T23:59:60Z",
        "2016-12-31T24:00:00Z",
        "0000-12-31",
        "10000-01-01",
    ],
)
def test_a_moment_over_the_edge_is_its_own_records_rejection(text: str) -> None:
    """An offset can move a timestamp out of the supported years; 24:00 and leap seconds are not accepted."""
    body = f'{{"at":"0001-01-01"}}{{"at":"{text}"}}{{"at":"9999-12-31T23:59:59.999999Z"}}'.encode()
    rows, rejected, _ = sorted_out(RecordReader([Field("at", ColumnType("timestamp"))]), body)
    assert [row["at"] for row in rows] == [of(1, 1, 1), of(9999, 12, 31, 23, 59, 59, 999999)]
    assert [one.reason for one in rejected] == [f"at: {text!r} is not a timestamp"]
    assert [(row["at"] - EPOCH) // timedelta(microseconds=1) for row in rows] == [TIMESTAMP_MIN, TIMESTAMP_MAX]


@pytest.mark.parametrize("type_", ["int", "bigint", "double", "decimal(12,2)", "timestamp", "boolean", "date"])
@pytest.mark.parametrize(
    "number",
    [
        "1e400",
        "-1E-400",
        "0e999999999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "9" * 5_000,
        "-0",
        "NaN",
        "-Infinity",
    ],
)
def test_a_number_of_any_size_is_a_value_or_a_reason(type_: str, number: str) -> None:
    """No exponent and no number of digits raises another error."""
    rows, rejected, end = sorted_out(RecordReader([Field("x", ColumnType.parse(type_))]), f'{{"x":{number}}}'.encode())
    assert (len(rows) + len(rejected), end.problem) == (1, None)
    if rejected:
        assert rejected[0].reason.startswith("x: ")


def test_a_zero_with_an_exponent_is_zero() -> None:
    """Its digits are never written out."""
    assert value_check(ColumnType("bigint"))(Number("0e999999999")) == 0
    assert value_check(ColumnType("decimal", (12, 2)))(Number("0e999999999")) == Decimal(0)


def test_a_long_text_that_is_no_number_is_refused_in_one_pass() -> None:
    """No digit belongs to two parts of the pattern: it cannot share a run of digits out in many ways."""
    assert r"\d+\.?\d*" not in NUMBER.pattern
    assert NUMBER.fullmatch("1" * 200_000 + "x") is None
    assert all(NUMBER.fullmatch(text) for text in ("1", "1.", "1.5", ".5", "+1e-5", "-.5E3"))
