"""Parquet and ORC files of many writers, whole and damaged: bytes in, rows and rejected records out."""

from __future__ import annotations

import gzip
import io
import os
import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from spark_jobs.engine.formats import columnar, joined
from spark_jobs.engine.formats.records import End, Rejected
from tests.spark_jobs.engine.formats.columns_read import ID, MOMENT, column, field, orc, parquet, read

# ---------------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize("format_", ["parquet", "orc"])
def test_columns_are_matched_by_their_raw_names(format_: str) -> None:
    """Their order in the file does not matter; a missing optional column is null."""
    table = pa.table({"Amount": [Decimal("1.50")], "id": [7]})
    body = parquet(table) if format_ == "parquet" else orc(table)
    amount = field("amount", "decimal(12,2)", source="Amount")
    rows, rejected, end = read(body, ID, amount, field("note", "string"), type_=format_)
    assert rows == [{"id": 7, "amount": Decimal("1.50"), "note": None, "_rescued": None}]
    assert (rejected, end) == ([], End(len(body), None))


def test_unknown_columns_are_kept_by_row_and_their_nulls_are_not() -> None:
    """Every row has every column here, so a null says no more than its absence."""
    table = pa.table(
        {
            "id": [1, 2, 3],
            "nested": [{"a": [1, None], "b": {"c": Decimal("1.20")}}, None, None],
            "tags": pa.array([[("k", 1)], None, None], pa.map_(pa.string(), pa.int32())),
            "at": [MOMENT, MOMENT, None],
        }
    )
    rows, _, _ = read(parquet(table), ID)
    assert [row["_rescued"] for row in rows] == [
        '{"nested":{"a":[1,null],"b":{"c":1.20}},"tags":{"k":1},"at":"2026-01-02T03:04:05Z"}',
        '{"at":"2026-01-02T03:04:05Z"}',
        None,
    ]


def test_a_file_without_any_declared_column_is_one_rejected_record_and_a_problem() -> None:
    """Each of its rows would be kept as a row of nulls."""
    rows, rejected, end = read(parquet(pa.table({"x": [1, 2]})), field("a", "int"), field("b", "int"))
    assert (rows, len(rejected), end.problem) == ([], 1, "expected a column a or b, found x")


def test_a_file_without_a_required_column_is_one_rejected_record_and_a_problem() -> None:
    """Its rows are all alike, and to be sent again all together."""
    rows, rejected, end = read(parquet(pa.table({"ID": range(1_000), "x": ["y"] * 1_000})), ID)
    assert (rows, len(rejected), end.problem) == ([], 1, "expected a column id, found ID, x")


def test_a_rejected_row_says_where_and_why() -> None:
    """Position is the row's number from 0, line that from 1; the raw text is the row as JSON."""
    table = pa.table({"id": [1, None, 3], "n": pa.array([1, 2, 3_000_000_000], pa.int64()), "more": ["a", "b", "c"]})
    rows, rejected, end = read(parquet(table), ID, field("n", "int"))
    assert rows == [{"id": 1, "n": 1, "_rescued": '{"more":"a"}'}]
    assert rejected == [
        Rejected(1, 2, "id is missing", '{"n":2,"more":"b"}'),
        Rejected(2, 3, "n: 3000000000 is out of range for int", '{"id":3,"n":3000000000,"more":"c"}'),
    ]
    assert end.problem is None


def test_row_numbers_go_on_over_groups_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A position does not depend on the writer's row groups."""
    monkeypatch.setattr(columnar, "ROWS", 7)
    table = pa.table({"id": [None if row % 10 == 0 else row for row in range(100)]})
    for format_, body in (("parquet", parquet(table, row_group_size=33)), ("orc", orc(table))):
        rows, rejected, _ = read(body, ID, type_=format_)
        assert [row["id"] for row in rows] == [row for row in range(100) if row % 10]
        assert [record.position for record in rejected] == list(range(0, 100, 10))


# ---------------------------------------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("values", "type_", "expected"),
    [
        (pa.array([1, 255], pa.uint8()), "int", [1, 255]),
        (pa.array([2**63 - 1, 2**63], pa.uint64()), "bigint", [2**63 - 1, f"{2**63} is out of range for bigint"]),
        (pa.array([2.0, 2.5, None]), "int", [2, "2.5 is not a whole number", None]),
        (pa.array(["7", "n/a"]), "int", [7, "'n/a' is not a number"]),
        (pa.array([0.5, float("nan")], pa.float32()), "double", [0.5, "NaN is not a number"]),
        (pa.array([2**53 + 1]), "double", [float(2**53 + 1)]),
        (
            pa.array([Decimal("1.250"), Decimal("1.255")]),
            "decimal(5,2)",
            [Decimal("1.25"), "1.255 has more than 2 decimals"],
        ),
        (pa.array([Decimal("1E3")], pa.decimal256(50, 2)), "decimal(5,1)", [Decimal("1000.0")]),
        (pa.array([0.1, 1000.0]), "decimal(4,2)", [Decimal("0.10"), "1000.0 is out of range for decimal(4,2)"]),
        (pa.array(["ab", "éé", "abc"], pa.large_string()), "string(3)", ["ab", "4 bytes, at most 3", "abc"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "string(1)", ["a", "b", "a"]),
        (pa.array([b"ab", b"\xff"]), "string", ["ab", "invalid UTF-8"]),
        (pa.array([b"0123456789abcdef"], pa.binary(16)), "string", ["0123456789abcdef"]),
        (pa.array([1.5, 100.0]), "string", ["1.5", "100.0"]),
        (pa.array([True, None]), "string", ["true", None]),
        (pa.array([[1]]), "string", ["a list is not a string"]),
        (pa.array([True, False]), "boolean", [True, False]),
        (pa.array([1, 0]), "boolean", [True, False]),
        (pa.array([2]), "boolean", ["2 is neither true nor false"]),
        (pa.array([date(2026, 1, 2)]), "date", [date(2026, 1, 2)]),
        (pa.array([0, 4_000_000], pa.date32()), "date", [date(1970, 1, 1), "'12921-08-18' is not a date"]),
        (pa.array([date(2026, 1, 2)], pa.date64()), "date", [date(2026, 1, 2)]),
        (pa.array([MOMENT]), "date", ["'2026-01-02T03:04:05Z' is not a date"]),
        (pa.array([date(2026, 1, 2)]), "timestamp", [datetime(2026, 1, 2, tzinfo=UTC)]),
        (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ms")), "timestamp", [MOMENT]),
        (pa.array([MOMENT], pa.timestamp("us", "Asia/Tokyo")), "timestamp", [MOMENT]),
        (
            pa.array([1_999, -1], pa.timestamp("ns")),
            "timestamp",
            [datetime(1970, 1, 1, 0, 0, 0, 1, UTC), datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)],
        ),
        (pa.array([253402300800], pa.timestamp("s")), "timestamp", ["'10000-01-01 00:00:00.000' is not a timestamp"]),
        (pa.array([1767323045, 1767323045000]), "timestamp", [MOMENT, MOMENT]),
        (pa.array(["2026-01-02 03:04:05"]), "timestamp", [MOMENT]),
        (pa.nulls(2), "timestamp", [None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else None,
)
def test_a_value_fits_its_type_or_says_why_not(values: pa.Array, type_: str, expected: list[Any]) -> None:
    """As in JSON; moments without a zone are in UTC, and what is finer than a microsecond is cut off."""
    assert column(values, type_) == expected


def test_text_that_is_no_utf8_is_rejected() -> None:
    """Writers may declare bytes as text without checking them."""
    lie = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff"], pa.binary()).buffers())
    assert column(lie, "string") == ["ok", "invalid UTF-8"]


# ---------------------------------------------------------------------------------------------- foreign writers


def test_what_duckdb_writes_is_read(tmp_path: Path) -> None:
    """Unsigned numbers, UUIDs, enumerations, intervals of nothing but its own types."""
    path = tmp_path / "duck.parquet"
    duckdb.sql(
        """COPY (SELECT i::UTINYINT AS id, '00000000-0000-0000-0000-00000000000a'::UUID AS u,
                        (i * 1.25)::DECIMAL(18,3) AS amount, TIMESTAMPTZ '2026-01-02 03:04:05Z' AS at,
                        'click'::ENUM ('view', 'click') AS kind, {'a': [i]} AS more FROM range(2) t(i)
        ) TO '{}' (FORMAT parquet)""".replace("{}", str(path))
    )
    fields = (
        ID,
        field("u", "string(36)"),
        field("amount", "decimal(12,2)"),
        field("at", "timestamp"),
        field("kind", "string"),
    )
    rows, rejected, _ = read(path.read_bytes(), *fields)
    uuid = "00000000-0000-0000-0000-00000000000a"
    assert rejected == []
    assert [tuple(row.values()) for row in rows] == [
        (0, uuid, Decimal("0.00"), MOMENT, "click", '{"more":{"a":[0]}}'),
        (1, uuid, Decimal("1.25"), MOMENT, "click", '{"more":{"a":[1]}}'),
    ]


def test_what_pandas_writes_is_read() -> None:
    """Categories, nanoseconds, numbers that became floating because some are missing; its index is a column."""
    frame = pd.DataFrame(
        {
            "id": [1.0, 2.0],
            "n": [3.0, None],
            "kind": pd.Categorical(["a", None]),
            "at": pd.to_datetime([MOMENT + timedelta(microseconds=1), None]),
        },
        index=pd.Index(["x", "y"], name="key"),
    )
    sink = io.BytesIO()
    frame.to_parquet(sink)
    rows, rejected, _ = read(sink.getvalue(), ID, field("n", "int"), field("kind", "string"), field("at", "timestamp"))
    assert rejected == []
    assert [tuple(row.values()) for row in rows] == [
        (1, 3, "a", MOMENT + timedelta(microseconds=1), '{"key":"x"}'),
        (2, None, None, None, '{"key":"y"}'),
    ]


@pytest.mark.parametrize("codec", ["NONE", "SNAPPY", "GZIP", "BROTLI", "LZ4", "ZSTD"])
def test_every_codec_of_parquet_is_read(codec: str) -> None:
    """They come with pyarrow."""
    rows, _, end = read(parquet(pa.table({"id": range(1_000)}), compression=codec), ID)
    assert ([row["id"] for row in rows], end.problem) == (list(range(1_000)), None)


@pytest.mark.parametrize("codec", ["UNCOMPRESSED", "SNAPPY", "ZLIB", "LZ4", "ZSTD"])
def test_every_codec_of_orc_is_read(codec: str) -> None:
    """They come with pyarrow, too."""
    rows, _, end = read(orc(pa.table({"id": range(1_000)}), compression=codec), ID, type_="orc")
    assert ([row["id"] for row in rows], end.problem) == (list(range(1_000)), None)


def test_what_fails_on_the_way_is_no_damage() -> None:
    """An object that could not be fetched is not blamed: the batch is to be tried again."""

    def parts() -> Iterator[bytes]:
        yield WHOLE[:100]
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        read(parts(), ID)


@pytest.mark.parametrize("format_", ["parquet", "orc"])
def test_what_spark_writes_is_read(spark: SparkSession, tmp_path: Path, format_: str) -> None:
    """Decimals, dates, nested values, and timestamps, which ORC stores as wall-clock time of Spark's JVM."""
    frame = spark.range(3).select(
        "id",
        F.expr("timestamp'2026-01-02 03:04:05' + make_interval(0, 0, 0, 0, 0, 0, id)").alias("at"),
        F.expr("cast(id as decimal(12,2))").alias("amount"),
        F.expr("date'2026-01-02'").alias("day"),
        F.expr("named_struct('a', array(id))").alias("more"),
    )
    frame.coalesce(1).write.format(format_).save(str(tmp_path / "out"))
    [path] = (tmp_path / "out").glob("part-*")
    fields = (ID, field("at", "timestamp"), field("amount", "decimal(12,2)"), field("day", "date"))
    rows, rejected, _ = read(path.read_bytes(), *fields, type_=format_)
    zone = ZoneInfo(spark.sparkContext._jvm.java.util.TimeZone.getDefault().getID())  # type: ignore[union-attr]
    start = MOMENT if format_ == "parquet" else MOMENT.astimezone(zone).replace(tzinfo=UTC)
    assert rejected == []
    assert [tuple(row.values()) for row in rows] == [
        (i, start + timedelta(seconds=i), Decimal(i), date(2026, 1, 2), f'{{"more":{{"a":[{i}]}}}}') for i in range(3)
    ]


def test_hives_moments_reach_beyond_the_nanoseconds(spark: SparkSession, tmp_path: Path) -> None:
    """INT96 is read as microseconds: as nanoseconds, the year 9999 would silently be another one."""
    before = spark.conf.get("spark.sql.parquet.outputTimestampType")
    spark.conf.set("spark.sql.parquet.outputTimestampType", "INT96")
    spark.sql("SELECT 1L AS id, timestamp'9999-12-31 23:59:59' AS at").write.parquet(str(tmp_path / "out"))
    spark.conf.set("spark.sql.parquet.outputTimestampType", str(before))
    [path] = (tmp_path / "out").glob("part-*")
    [row], _, _ = read(path.read_bytes(), ID, field("at", "timestamp"))
    assert row["at"] == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


# ---------------------------------------------------------------------------------------------- other and damaged files


def test_an_object_may_be_larger_than_what_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is spooled to disk; its bytes may come in any parts, compressed once more, and be several files'."""
    monkeypatch.setattr(columnar, "SPOOL_BYTES", 100)
    for type_, written in (("parquet", parquet), ("orc", orc)):
        files = [written(pa.table({"id": range(start, start + 5_000)})) for start in (0, 5_000)]
        body = gzip.compress(b"".join(files))
        rows, _, end = read((body[at : at + 999] for at in range(0, len(body), 999)), ID, type_=type_)
        assert ([row["id"] for row in rows], end.problem) == (list(range(10_000)), None)


@pytest.mark.parametrize("module", [columnar, joined])
def test_an_orc_file_that_takes_its_library_down_costs_itself(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened to find where it ends, or to be read: the process that reads files goes on."""
    monkeypatch.setattr(module, "ORCFile", lambda _: os.kill(os.getpid(), signal.SIGSEGV))
    rows, rejected, end = read(orc(pa.table({"id": [1, 2]})), field("id", "bigint"), type_="orc")
    broken = module is columnar
    assert ([row["id"] for row in rows], len(rejected)) == (([], 1) if broken else ([1, 2], 0))
    assert end.problem == ("ORC damaged: its reader crashed" if broken else None)


@pytest.mark.parametrize("type_", ["parquet", "orc"])
def test_an_empty_object_holds_nothing_and_is_no_problem(type_: str) -> None:
    """An object that was created and never written."""
    assert read(b"", ID, type_=type_) == ([], [], End(0, None))


WHOLE = parquet(pa.table({"id": range(100)}))


@pytest.mark.parametrize(
    ("body", "type_", "problem"),
    [
        (b'{"id":1}', "parquet", "not Parquet but something else"),
        (WHOLE, "orc", "not ORC but a Parquet file"),
        (WHOLE[:-1], "parquet", "Parquet damaged: "),
        (WHOLE[:-300] + bytes(292) + WHOLE[-8:], "parquet", "Parquet damaged: "),
        (b"ORC" + bytes(100), "orc", "ORC damaged: "),
        (gzip.compress(WHOLE, mtime=0)[:-20], "parquet", "gzip truncated at byte "),
        (parquet(pa.table([[1], [2]], ["id", "id"])), "parquet", "expected one column id, found 2"),
    ],
    ids=["json", "other", "cut", "footer", "orc", "gzip", "twice"],
)
def test_a_file_that_cannot_be_read_is_one_rejected_record_and_a_problem(body: bytes, type_: str, problem: str) -> None:
    """It affects only itself, and the batch goes on."""
    rows, [record], end = read(body, ID, type_=type_)
    assert rows == []
    assert record.reason == end.problem
    assert str(end.problem).startswith(problem)
    assert "\n" not in str(end.problem)


def test_damage_costs_its_row_group_alone() -> None:
    """The rows of all others are read, under their own numbers; what is lost is named."""
    written = parquet(pa.table({"id": range(300)}), row_group_size=100, use_dictionary=False, write_page_checksum=True)
    body = bytearray(written)
    start = pa.parquet.ParquetFile(io.BytesIO(bytes(body))).metadata.row_group(1).column(0).data_page_offset
    body[start + 100] ^= 0xFF
    rows, rejected, end = read(bytes(body), ID)
    assert [row["id"] for row in rows] == [*range(100), *range(200, 300)]
    assert str(end.problem).startswith("Parquet damaged in rows 101 to 200: ")
    assert rejected == [Rejected(100, 101, str(end.problem), "")]


@pytest.mark.parametrize("type_", ["parquet", "orc"])
@given(st.data())
def test_no_damage_stops_a_batch(type_: str, data: st.DataObject) -> None:
    """For any changed or missing bytes, the reader reaches the file's end and reports the damage."""
    table = pa.table({"id": range(50), "x": [str(number) for number in range(50)]})
    body = bytearray(parquet(table) if type_ == "parquet" else orc(table))
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=4)):
        body[at] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.sampled_from([len(body), len(body) // 2, len(body) - 1]))]
    _, _, end = read(bytes(body), ID, field("x", "string"), type_=type_)
    assert end.bytes == len(body)


@pytest.mark.parametrize(("said", "expected"), [(0, 61), (60, 61 + 30)])
def test_a_row_group_that_says_it_has_fewer_rows_is_not_believed(said: int, expected: int) -> None:
    """A flipped bit in its count could silently lose rows; the file's total reveals it."""
    body = bytearray(parquet(pa.table({"id": range(122)}), row_group_size=61))
    body[body.rindex(b"\x16\x7a") + 1] = said  # Thrift's 61 in the last group, behind the field that it is
    rows, rejected, end = read(bytes(body), ID)
    assert len(rows) == expected
    assert end.problem == rejected[-1].reason == f"Parquet damaged: expected 122 rows, found {expected}"


@pytest.mark.parametrize("rows_said", [-5, 1 << 62])
def test_a_number_of_rows_that_is_none_is_damage(rows_said: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places in the file stay numbers that a table can hold."""
    groups = [(columnar._count(rows_said), iter(()))] * 4
    monkeypatch.setattr(columnar, "_parquet", lambda _: (["id"], (4, groups)))
    _, rejected, end = read(parquet(pa.table({"id": [1]})), ID)
    assert end.problem
    assert rejected
    assert all(0 <= one.position < 1 << 62 for one in rejected)
