"""Avro object container files, whole and damaged: bytes in, rows and rejected records out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.engine.formats import avro
from spark_jobs.engine.formats.records import End, Rejected
from tests.spark_jobs.engine.formats.containers import ID, container, field, longs, read, record, written

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


# ---------------------------------------------------------------------------------------------- records


def test_fields_are_matched_by_their_raw_names_and_others_are_kept() -> None:
    """Undeclared fields, nested or not, are rescued, except nulls, as all records have all fields."""
    nested = {"type": "record", "name": "N", "fields": [{"name": "tags", "type": {"type": "array", "items": "string"}}]}
    schema = record(
        Amount="double", id="long", more=["null", nested], kind={"type": "enum", "name": "E", "symbols": ["A"]}
    )
    body = written(
        schema,
        {"Amount": 1.5, "id": 7, "more": {"tags": ["x"]}, "kind": "A"},
        {"Amount": 2.5, "id": 8, "more": None, "kind": "A"},
    )
    rows, rejected, end = read(body, ID, field("amount", "decimal(12,2)", source="Amount"), field("note", "string"))
    assert rows == [
        {"id": 7, "amount": Decimal("1.50"), "note": None, "_rescued": '{"more":{"tags":["x"]},"kind":"A"}'},
        {"id": 8, "amount": Decimal("2.50"), "note": None, "_rescued": '{"kind":"A"}'},
    ]
    assert (rejected, end) == ([], End(len(body), None))


def test_a_rejected_record_says_where_and_why() -> None:
    """Position is the record's number from 0, line that from 1; the raw text is the record as JSON."""
    body = written(
        record(id=["null", "long"], n=["long", "string"]), {"id": 1, "n": 2}, {"id": None, "n": 3}, {"id": 3, "n": "x"}
    )
    rows, rejected, _ = read(body, ID, field("n", "int"))
    assert rows == [{"id": 1, "n": 2, "_rescued": None}]
    assert rejected == [
        Rejected(1, 2, "id is missing", '{"n":3}'),
        Rejected(2, 3, "n: 'x' is not a number", '{"id":3,"n":"x"}'),
    ]


@pytest.mark.parametrize(
    ("avro_type", "value", "type_", "expected"),
    [
        ({"type": "long", "logicalType": "timestamp-millis"}, MOMENT, "timestamp", MOMENT),
        ({"type": "long", "logicalType": "timestamp-micros"}, MOMENT, "timestamp", MOMENT),
        ({"type": "long", "logicalType": "timestamp-nanos"}, 1_999, "timestamp", datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
        (
            {"type": "long", "logicalType": "local-timestamp-millis"},
            1_000,
            "timestamp",
            datetime(1970, 1, 1, 0, 0, 1, 0, UTC),
        ),
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            2**60,
            "timestamp",
            f"'{2**60}/1000 seconds since 1970' is not a timestamp",
        ),
        ({"type": "int", "logicalType": "date"}, date(2026, 1, 2), "date", date(2026, 1, 2)),
        ({"type": "int", "logicalType": "date"}, 2**31 - 1, "date", "'2147483647 days since 1970' is not a date"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
            Decimal("-1.50"),
            "decimal(12,2)",
            Decimal("-1.50"),
        ),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 2},
            b"\x04\xd2",
            "decimal(12,2)",
            Decimal("12.34"),
        ),
        ({"type": "string", "logicalType": "uuid"}, UUID(int=1), "string(36)", str(UUID(int=1))),
        (
            {"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"},
            UUID(int=1).bytes,
            "string(36)",
            str(UUID(int=1)),
        ),
        ({"type": "int", "logicalType": "time-millis"}, 3_723_004, "string", "01:02:03.004000"),
        ({"type": "long", "logicalType": "time-micros"}, -1, "string", "-1/1000000 seconds of a day"),
        ("bytes", b"text", "string", "text"),
        ("bytes", b"\xff", "string", "invalid UTF-8"),
        ("long", 2**40, "int", f"{2**40} is out of range for int"),
        ("float", 0.5, "double", 0.5),
        (["null", "boolean"], None, "boolean", None),
        ({"type": "array", "items": "int"}, [1], "string", "a list is not a string"),
    ],
    ids=str,
)
def test_a_value_fits_its_type_or_says_why_not(avro_type: Any, value: Any, type_: str, expected: object) -> None:
    """As in JSON; a value that Python cannot represent rejects only its record, and no value is rounded."""
    as_stored = not isinstance(value, (int, bytes)) or isinstance(avro_type, str)
    data = io.BytesIO()
    fastavro.schemaless_writer(data, avro_type if as_stored else {**avro_type, "logicalType": "none"}, value)
    rows, rejected, _ = read(container(record(x=avro_type), (1, data.getvalue())), field("x", type_))
    assert (rows[0]["x"] if rows else rejected[0].reason.removeprefix("x: ")) == expected


def test_text_that_is_no_utf8_is_rejected() -> None:
    """It costs its record and not the block."""
    text = b"\x04ok\x04\xff\xff\x04ok"
    rows, rejected, _ = read(container(record(x="string"), (3, text)), field("x", "string"))
    assert [row["x"] for row in rows] == ["ok", "ok"]
    assert [one.reason for one in rejected] == ["x: invalid UTF-8"]


# ---------------------------------------------------------------------------------------------- codecs


def snappy(data: bytes) -> bytes:
    return bytes(pa.compress(data, "snappy", asbytes=True)) + zlib.crc32(data).to_bytes(4, "big")


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": lambda data: zlib.compress(data, wbits=-15),
    "snappy": snappy,
    "zstandard": lambda data: bytes(pa.compress(data, "zstd", asbytes=True)),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("codec", list(CODECS))
def test_every_codec_of_the_specification_is_read(codec: str) -> None:
    """With what Python and pyarrow bring along."""
    numbers = list(range(1_000))
    body = container(record(id="long"), *[(1_000, CODECS[codec](longs(*numbers)))] * 2, codec=codec)
    rows, rejected, end = read(body, ID)
    assert ([row["id"] for row in rows], rejected, end) == (numbers * 2, [], End(len(body), None))


@pytest.mark.parametrize("codec", list(CODECS))
def test_a_block_that_holds_too_much_is_refused(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes can claim gigabytes; the records before them are read."""
    monkeypatch.setattr(avro, "BLOCK_MAX", 10_000)
    pack = CODECS[codec]
    body = container(record(id="long"), (1, pack(longs(1))), (20_000, pack(bytes(20_000))), codec=codec)
    rows, [rejected], end = read(body, ID)
    assert [row["id"] for row in rows] == [1]
    assert (rejected.position, rejected.reason) == (1, end.problem)
    assert "more than 10000 bytes" in rejected.reason


# ---------------------------------------------------------------------------------------------- other and damaged files


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_bytes_may_come_in_any_parts_and_compressed(size: int) -> None:
    """The container may itself be gzipped, regardless of its name."""
    body = gzip.compress(written(record(id="long"), *({"id": number} for number in range(3_000)), sync_interval=500))
    rows, _, end = read((body[at : at + size] for at in range(0, len(body), size)), ID)
    assert ([row["id"] for row in rows], end.problem) == (list(range(3_000)), None)


def test_an_empty_object_and_an_empty_container_hold_nothing() -> None:
    """Neither is a problem."""
    assert read(b"", ID) == ([], [], End(0, None))
    body = written(record(id="long"))
    assert read(body, ID) == ([], [], End(len(body), None))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"id":1}', "not Avro but something else"),
        (b"PAR1\x00\x00", "not Avro but a Parquet file"),
        (b"Obj\x01", "Avro damaged in its header: "),
        (container(record(id="long"))[:40], "Avro damaged in its header: "),
        (container(record(id="long"))[:-3], "Avro truncated at byte "),
        (container(record(id="strange")), "Avro damaged in its header: "),
        (container(record(id="long"), codec="lz4"), "expected an Avro codec (null, deflate, snappy, zstandard, "),
        (container({"type": "array", "items": "long"}), "expected Avro records, found values of another type"),
        (container(record(ID="long"), (2, longs(1, 2))), "expected a column id, found ID"),
    ],
    ids=["json", "parquet", "magic", "header", "mark", "schema", "codec", "no records", "column"],
)
def test_a_file_that_cannot_be_read_is_one_rejected_record_and_a_problem(body: bytes, problem: str) -> None:
    """It affects only itself, and the batch goes on."""
    rows, [rejected], end = read(body, ID)
    assert rows == []
    assert rejected.reason == end.problem
    assert str(end.problem).startswith(problem)


def test_of_a_truncated_container_all_before_the_torn_block_is_read() -> None:
    """The problem says where it ends, and which record would have come next."""
    body = container(record(id="long"), (2, longs(1, 2)), (2, longs(3, 4)), (2, longs(5, 6)))[:-17]
    rows, rejected, end = read(body, ID)
    assert [row["id"] for row in rows] == [1, 2, 3, 4]
    assert end == End(len(body), f"Avro truncated at byte {len(body)}")
    assert rejected == [Rejected(4, 5, str(end.problem), "")]


def test_damage_inside_a_block_costs_its_records_from_there_on() -> None:
    """Those before it, and the other blocks, are read under their own numbers."""
    whole = container(record(x="string"), (2, b"\x02a\x02b"), (3, b"\x02c\xff\xff\x03"), (1, b"\x02f"))
    rows, [rejected], end = read(whole, field("x", "string"))
    assert [row["x"] for row in rows] == ["a", "b", "c", "f"]
    assert (rejected.position, rejected.reason) == (3, end.problem)
    assert str(end.problem).startswith(
        f"Avro damaged at byte {whole.index(bytes(range(16))) + 16 + 22}, in records 4 to 5: "
    )


def test_a_reason_is_the_same_at_every_reading() -> None:
    """fastavro names a stream by its address in memory where a number is cut off."""
    cut = container(record(x="double"), (1, b"\x00"))
    reasons = {read(cut, field("x", "double"))[1][0].reason for _ in range(2)}
    assert reasons == {f"Avro damaged at byte {len(cut) - 19}, in records 1 to 1: cannot read double"}


@pytest.mark.parametrize(
    ("codec", "block", "reason"),
    [
        ("snappy", (1, snappy(longs(1))[:-1] + b"?"), "a wrong checksum"),
        ("null", (1, longs(1, 2)), "1 bytes left after the records"),
        ("null", (9, longs(1)), "1 bytes"),
    ],
    ids=["checksum", "too few", "too many"],
)
def test_a_block_that_contradicts_itself_is_not_believed(codec: str, block: tuple[int, bytes], reason: str) -> None:
    """None of its records can be known to be one."""
    rows, [rejected], _ = read(container(record(id="long"), block, codec=codec), ID)
    assert rows == []
    assert rejected.reason.endswith(reason)


@pytest.mark.parametrize("size", [20, 200])
def test_what_fails_on_the_way_is_no_damage(size: int) -> None:
    """An object that could not be fetched is not blamed: the batch is to be tried again."""
    body = container(record(id="long"), *[(1, longs(1))] * 10)

    def parts() -> Iterator[bytes]:
        yield body[:size]
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        read(parts(), ID)


@given(st.data())
def test_no_damage_stops_a_batch(data: st.DataObject) -> None:
    """For any changed or missing bytes, the reader finishes and reports the damage."""
    schema = record(
        id="long", x=["null", "string"], d={"type": "int", "logicalType": "date"}, m={"type": "map", "values": "double"}
    )
    records = ({"id": i, "x": str(i), "d": date(2026, 1, 1), "m": {"k": 0.5}} for i in range(50))
    body = bytearray(
        written(schema, *records, codec=data.draw(st.sampled_from(["null", "deflate"])), sync_interval=200)
    )
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=4)):
        body[at] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.sampled_from([len(body), len(body) // 2, len(body) - 1]))]
    rows, rejected, end = read(bytes(body), ID, field("d", "date"))
    assert isinstance(end, End)
    assert len(rows) + len(rejected) == 50 or end.problem


@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_length_that_is_none_is_damage_of_the_header(size: int) -> None:
    """Lengths are signed in Avro; the result does not depend on how the bytes arrive."""
    body = b"Obj\x01\x02\x61" + b"x" * 40
    _, rejected, end = read([body[at : at + size] for at in range(0, len(body), size)], ID)
    assert end.problem == rejected[0].reason == "Avro damaged in its header: a length of -49 bytes"


def test_more_records_than_a_block_can_hold_are_not_believed() -> None:
    """Numbers of later records stay numbers that a table can hold."""
    body = container(record(id="long"), *[((1 << 62), longs(1))] * 3, (1, longs(7)))
    rows, rejected, _ = read(body, ID)
    assert [row["id"] for row in rows] == [7]
    assert len(rejected) == 3
    assert max(one.line for one in rejected) < 1 << 31


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz"])
def test_what_stands_behind_a_packed_block_or_is_missing_of_it_is_damage(codec: str) -> None:
    """Such bytes would be passed over without a word."""
    packed = CODECS[codec](longs(1))
    followed, torn = (container(record(id="long"), (1, data), codec=codec) for data in (packed + b"five.", packed[:-1]))
    assert str(read(followed, ID)[2].problem).endswith("5 bytes left after the compressed data")
    assert read(torn, ID)[2].problem


def test_what_fastavro_leaves_behind_a_deflated_block_is_no_damage() -> None:
    """Most of zlib's checksum, which Avro does not have."""
    rows, rejected, end = read(written(record(id="long"), {"id": 1}, codec="deflate"), ID)
    assert ([row["id"] for row in rows], rejected, end.problem) == ([1], [], None)
