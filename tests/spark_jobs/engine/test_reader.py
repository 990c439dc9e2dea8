"""The reader without Spark and S3: an object's bytes in, rows and rejected records out."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spark_jobs.engine import decompression
from spark_jobs.engine.formats.records import RAW_MAX, End, RecordReader
from spark_jobs.engine.reader import REQUEST_BYTES, TASK_BYTES_MIN, _naming, frame_ddl, packed
from spark_jobs.engine.s3_objects import ReadError
from tests.spark_jobs.reading import Read, sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Dataset, Field
from tidemark.core.files import FileVersion
from tidemark.core.job import Rejected


def field(name: str, type_: str, *, required: bool = False) -> Field:
    return Field(name, ColumnType.parse(type_), required)


FIELDS = (field("id", "string(64)", required=True), field("n", "int"), field("note", "string(4096)"))
GOOD = b'{"id":"a","n":1}'


def read(body: bytes | Iterable[bytes], fields: tuple[Field, ...] = FIELDS) -> Read:
    reader = RecordReader(fields)
    assert reader.schema.names == [*(field.name for field in fields), "_rescued"]
    return sorted_out(reader, body)


def ids(body: bytes | Iterable[bytes]) -> list[str]:
    return [row["id"] for row in read(body)[0]]


# ---------------------------------------------------------------------------------------------- containers


@pytest.mark.parametrize(
    "body",
    [
        GOOD + GOOD,
        gzip.compress(GOOD + GOOD, mtime=0),
        gzip.compress(GOOD, mtime=0) + gzip.compress(GOOD, mtime=0),
        gzip.compress(GOOD, mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(GOOD, mtime=0) + b"\0" * 512,
        b"\xef\xbb\xbf" + GOOD + b"\n" + GOOD,
        gzip.compress(b"\xef\xbb\xbf" + GOOD + b"\r\n" + GOOD, mtime=0),
        (GOOD + b"\n" + GOOD).decode().encode("utf-16"),
        (GOOD + b"\n" + GOOD).decode().encode("utf-16-le"),
        (GOOD + b"\n" + GOOD).decode().encode("utf-16-be"),
    ],
    ids=["plain", "gzip", "two members", "padded members", "bom", "bom crlf gzip", "utf-16", "utf-16-le", "utf-16-be"],
)
def test_what_the_bytes_are_is_told_by_the_bytes(body: bytes) -> None:
    """The content, not the name, shows the compression and the encoding."""
    rows, rejected, end = read(body)
    assert (rows, rejected, end.problem) == ([{"id": "a", "n": 1, "note": None, "_rescued": None}] * 2, [], None)


@pytest.mark.parametrize("body", [b"", gzip.compress(b"", mtime=0), b"\n\r\n", b"\xef\xbb\xbf", b"[]"])
def test_an_empty_file_holds_nothing_and_is_no_problem(body: bytes) -> None:
    """Firehose's heartbeat, a created but unwritten object."""
    rows, rejected, end = read(body)
    assert (rows, rejected, end.problem) == ([], [], None)


def test_of_a_truncated_gzip_all_that_is_readable_is_read() -> None:
    """The torn record is rejected, the file has a problem, every record before is kept."""
    body = gzip.compress(b"\n".join(b'{"id":"%d","note":"%s"}' % (i, b"%x" % hash(str(i))) for i in range(2_000)))
    cut = body[: len(body) // 2]
    rows, rejected, end = read(cut)
    assert end.problem == f"gzip truncated at byte {len(cut)}"
    assert [row["id"] for row in rows] == [str(number) for number in range(len(rows))]
    assert 500 < len(rows) < 1_500
    assert [record.reason for record in rejected] == ["JSON cut off"]
    assert rejected[0].line == len(rows) + 1


def test_of_a_corrupt_gzip_all_before_the_damage_is_read() -> None:
    """A wrong checksum is found at the very end, a damaged block at its position."""
    body = gzip.compress(GOOD * 3)
    wrong_sum = body[:-8] + b"\1\2\3\4" + body[-4:]
    assert ids(wrong_sum) == ["a", "a", "a"]
    assert str(read(wrong_sum)[2].problem).startswith("gzip corrupt near byte")
    broken = zlib.compressobj(wbits=31)
    block = broken.compress(GOOD) + broken.flush(zlib.Z_FULL_FLUSH)
    assert ids(block + b"\xff" * 64) == ["a"]
    assert str(read(block + b"\xff" * 64)[2].problem).startswith("gzip corrupt near byte")


def test_what_follows_a_gzip_stream_and_is_none_is_a_problem() -> None:
    """It cannot be known what it was meant to be."""
    body = gzip.compress(GOOD)
    rows, _, end = read(body + b"oops")
    assert (len(rows), end.problem) == (1, f"no gzip from byte {len(body)} on")


@pytest.mark.parametrize(("head", "kind"), [(b"PAR1", "a Parquet file"), (b"ORC", "an ORC file"), (b"\xfd7zXZ", "xz")])
def test_a_file_of_another_kind_is_one_rejected_record_and_a_problem(head: bytes, kind: str) -> None:
    """Instead of thousands of lines of binary noise."""
    rows, rejected, end = read(head + bytes(range(256)) * 40 + b"\n" * 100)
    assert (rows, len(rejected), end.problem) == ([], 1, f"not JSON but {kind}")


# ---------------------------------------------------------------------------------------------- rejected records


def test_the_frame_has_the_fields_of_rejected_records_and_ends() -> None:
    """Their names and types follow from the values that the readers of files give out."""
    assert frame_ddl([field("n", "int")]) == (
        "`n` int, `_rescued` string, `_source` int, `_ordinal` bigint,"
        " _rejected struct<`position` bigint, `line` bigint, `reason` string, `raw` string>,"
        " _end struct<`bytes` bigint, `problem` string>"
    )


def test_a_rejected_record_says_where_and_why() -> None:
    """Position counts bytes of the decompressed content, lines count from 1."""
    body = '{"id":"é"}\n\n{"id":"b","n":"n/a"}{"id":null}\n{"id":"c"'.encode()
    rows, rejected, _ = read(gzip.compress(body))
    assert [row["id"] for row in rows] == ["é"]
    assert rejected == [
        Rejected(13, 3, "n: 'n/a' is not a number", '{"id":"b","n":"n/a"}'),
        Rejected(33, 3, "id is missing", '{"id":null}'),
        Rejected(45, 4, "JSON cut off", '{"id":"c"'),
    ]
    assert body[33:].startswith(b'{"id":null}')


def test_raw_text_is_cut_and_bytes_that_are_no_utf8_stay_visible() -> None:
    """A person reads it; the original stays where the position says."""
    _, rejected, _ = read(b'{"id":"\xff\xfe"}\n{"note":"' + b"x" * 100_000 + b'"}')
    assert (rejected[0].reason, rejected[0].raw) == ("invalid UTF-8", '{"id":"\\xff\\xfe"}')
    assert (rejected[1].reason, len(rejected[1].raw)) == ("id is missing", RAW_MAX)


def test_invalid_utf8_in_a_field_that_nobody_declared_rejects_too() -> None:
    """Otherwise a record's fate would hang on its neighbours: only the scanner looks at such fields."""
    assert [record.reason for record in read(b'{"id":"a","other":"\xff"}')[1]] == ["invalid UTF-8"]


def test_a_very_long_record_is_read_whole() -> None:
    """Many blocks long, it is judged by its fields and not by its length."""
    rows, rejected, _ = read(GOOD + b'{"id":"b","note":"' + b"x" * (5 << 20) + b'"}' + GOOD)
    assert [row["id"] for row in rows] == ["a", "a"]
    assert [record.reason for record in rejected] == ["note: 5242880 bytes, at most 4096"]


# ---------------------------------------------------------------------------------------------- names, unknown fields


def test_a_field_is_read_under_the_name_that_the_record_gives_it() -> None:
    """`from` names it in the raw record, for either way of reading and in the reason of a rejected record."""
    fields = (Field("user_id", ColumnType.parse("string(8)"), required=True, source="userId"), field("n", "int"))
    good = b'{"userId":"u1","n":1}'
    assert read(good, fields)[0] == read(good + b"!", fields)[0] == [{"user_id": "u1", "n": 1, "_rescued": None}]
    rows, rejected, _ = read(good + b'{"user_id":"u1"}', fields)
    assert (len(rows), [record.reason for record in rejected]) == (1, ["userId is missing"])


def test_two_fields_may_be_read_from_one() -> None:
    """One takes the text, the other the number."""
    fields = (field("x", "string(8)"), Field("number", ColumnType.parse("double"), source="x"))
    assert read(b'{"x":1.50}', fields)[0] == [{"x": "1.50", "number": 1.5, "_rescued": None}]


@pytest.mark.parametrize("neighbour", [b"", b"!"], ids=["vectorised", "exact"])
def test_unknown_fields_are_kept_as_they_were_written(neighbour: bytes) -> None:
    """Digits, nesting, order and nulls survive; a record without any such field has nothing to keep."""
    body = b'{"z":1.50,"id":"a","big":123456789012345678901,"e":[1e2,{"\\u00e9":null}],"n":1,"no":null}' + GOOD
    rows, _, _ = read(body + neighbour)
    kept = '{"z":1.50,"big":123456789012345678901,"e":[1e2,{"é":null}],"no":null}'
    assert [row["_rescued"] for row in rows] == [kept, None]


@pytest.mark.parametrize("size", [32_768, 32_769])
def test_a_record_whose_unknown_fields_are_too_long_is_rejected(size: int) -> None:
    """They are never cut, and its neighbours stay."""
    long = b'{"id":"b","other":"%s"}' % (b"x" * (size - len('{"other":""}')))
    rows, rejected, _ = read(GOOD + long + GOOD)
    reasons = [record.reason for record in rejected]
    if size == 32_768:
        assert ([row["id"] for row in rows], reasons) == (["a", "b", "a"], [])
    else:
        assert ([row["id"] for row in rows], reasons) == (["a", "a"], ["unknown fields: 32769 bytes, at most 32768"])


@pytest.mark.parametrize(
    ("error", "kind"),
    [(pa.ArrowMemoryError("malloc of size 8"), "small"), (MemoryError(), "small"), (ValueError(), "file")],
)
def test_too_little_memory_is_not_the_files_fault(error: Exception, kind: str) -> None:
    """A larger worker reads the same file."""

    def fails() -> Iterator[pa.Table]:
        raise error
        yield

    with pytest.raises(ReadError) as raised:
        list(_naming(FileVersion("raw", "a", "v1", 5), fails()))
    assert raised.value.kind == kind


def test_a_null_at_the_top_level_is_rejected() -> None:
    """pyarrow would make a row of nulls of it, or crash when it comes first."""
    for body in (b"null" + GOOD, b" \n null\n" + GOOD, GOOD + b"null", b"\xef\xbb\xbfnull\n" + GOOD, b"null," + GOOD):
        rows, rejected, _ = read(body)
        assert (len(rows), [record.reason for record in rejected]) == (1, ["not a JSON object"])


# ---------------------------------------------------------------------------------------------- types


def value(type_: str, text: str) -> Any:
    """What one field becomes, or the reason why it does not."""
    rows, rejected, _ = read(b'{"x":%s}' % text.encode(), (field("x", type_),))
    return rows[0]["x"] if rows else rejected[0].reason.removeprefix("x: ")


MOMENT = datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type_", "text", "expected"),
    [
        ("int", "200", 200),
        ("int", "200.0", 200),
        ("int", "2e2", 200),
        ("int", '"200"', 200),
        ("int", "200.5", "200.5 is not a whole number"),
        ("int", "2147483648", "2147483648 is out of range for int"),
        ("int", "1e999999999", "1e999999999 is out of range for int"),
        ("int", '"n/a"', "'n/a' is not a number"),
        ("int", "true", "true is not a number"),
        ("int", "[1]", "a list is not a number"),
        ("int", "NaN", "NaN is not a number"),
        ("bigint", "-9223372036854775808", -(2**63)),
        ("bigint", "9223372036854775808", "9223372036854775808 is out of range for bigint"),
        ("double", "0.1", 0.1),
        ("double", "1e400", "1e400 is out of range for double"),
        ("double", "NaN", "NaN is not a number"),
        ("double", "Infinity", "Infinity is not a number"),
        ("decimal(12,2)", "0.1", Decimal("0.10")),
        ("decimal(12,2)", "9999999999.99", Decimal("9999999999.99")),
        ("decimal(12,2)", '"1.10"', Decimal("1.10")),
        ("decimal(12,2)", "1e-2", Decimal("0.01")),
        ("decimal(12,2)", "1.230", Decimal("1.23")),
        ("decimal(12,2)", "1.234", "1.234 has more than 2 decimals"),
        ("decimal(12,2)", "10000000000", "10000000000 is out of range for decimal(12,2)"),
        ("decimal(12,2)", "0.30000000000000004", "0.30000000000000004 has more than 2 decimals"),
        ("decimal(38,0)", "-" + "9" * 38, Decimal("-" + "9" * 38)),
        ("decimal(38,2)", "123456789012345678901234567890.12", Decimal("123456789012345678901234567890.12")),
        ("string(4)", '"éé"', "éé"),
        ("string(4)", '"ééé"', "6 bytes, at most 4"),
        ("string(8)", "1.50", "1.50"),
        ("string(8)", "false", "false"),
        ("string(8)", '{"a":1}', "an object is not a string"),
        ("string(8)", '"\\ud800"', "an unpaired surrogate"),
        ("boolean", "true", True),
        ("boolean", '"false"', False),
        ("boolean", "1", True),
        ("boolean", "2", "2 is neither true nor false"),
        ("date", '"2015-05-17"', date(2015, 5, 17)),
        ("date", '"2015-02-29"', "'2015-02-29' is not a date"),
        ("date", "16572", "16572 is not a date"),
        ("timestamp", '"2015-05-17T10:05:03Z"', MOMENT),
        ("timestamp", '"2015-05-17T10:05:03.000Z"', MOMENT),
        ("timestamp", '"2015-05-17 10:05:03"', MOMENT),
        ("timestamp", '"2015-05-17T12:05:03+02:00"', MOMENT),
        ("timestamp", '"2015-05-17T05:05:03-0500"', MOMENT),
        ("timestamp", '"2015-05-17T10:05:03.1234567Z"', MOMENT.replace(microsecond=123456)),
        ("timestamp", '"2015-05-17"', datetime(2015, 5, 17, tzinfo=UTC)),
        ("timestamp", "1431857103", MOMENT),
        ("timestamp", "1431857103000", MOMENT),
        ("timestamp", "1431857103.5", MOMENT.replace(microsecond=500000)),
        ("timestamp", "1431857103000000", MOMENT),
        ("timestamp", '"1431857103"', "'1431857103' is not a timestamp"),
        ("timestamp", '"17/May/2015:10:05:03"', "'17/May/2015:10:05:03' is not a timestamp"),
        ("timestamp", '"0000-01-01T00:00:00Z"', "'0000-01-01T00:00:00Z' is not a timestamp"),
        ("timestamp", '"2015-05-17T10:05:60Z"', "'2015-05-17T10:05:60Z' is not a timestamp"),
        ("timestamp", "true", "true is not a timestamp"),
    ],
)
def test_a_value_fits_its_type_or_says_why_not(type_: str, text: str, expected: object) -> None:
    """The table of what is accepted; nothing is rounded, cut or guessed, but for microseconds."""
    assert value(type_, text) == expected


TYPES = [
    "int",
    "bigint",
    "double",
    "decimal(12,2)",
    "decimal(5,5)",
    "decimal(38,10)",
    "string(6)",
    "boolean",
    "date",
    "timestamp",
]
NUMBERS = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.floats().map(json.dumps),
    st.from_regex(r"-?(0|[1-9][0-9]{0,12})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)
MOMENTS = st.from_regex(
    r"(0000|0001|1969|2015|9999)-(02-29|05-17|12-31)"
    r"([T ](0[0-9]|2[34])(:[0-5][0-9](:(5[0-9]|60)(\.[0-9]{1,7})?)?)?(Z|[+-](0[0-9]|2[34])(:?[0-5][0-9])?)?)?",
    fullmatch=True,
)
TEXTS = st.one_of(st.text(max_size=8), NUMBERS, MOMENTS)
JSON_VALUES = st.one_of(NUMBERS, TEXTS.map(json.dumps), st.sampled_from(["null", "true", "[]", "{}", '"\\ud800"']))


@given(st.sampled_from(TYPES), st.lists(JSON_VALUES, min_size=1, max_size=3))
@example("decimal(12,2)", ['"+.5"'])
@example("decimal(12,2)", ['"5."'])
@example("timestamp", ['"2015-05-17T10Z"'])
def test_a_records_fate_does_not_depend_on_its_neighbours(type_: str, texts: list[str]) -> None:
    """The vectorised parser and the scanner read the same values from the same text, or the scanner decides."""
    same_alone_and_together((field("x", type_),), [f'{{"x":{text}}}' for text in texts])


ODDITIES = ["NaN", "-Infinity", "-0", "1E+2", '{"x":[null,{"y":-0.0}]}', "[1,[]]", "nul", '"\\ud800"', '"a\tb"']
UNKNOWN = st.one_of(JSON_VALUES, st.sampled_from(ODDITIES))


@given(st.lists(st.lists(st.tuples(st.sampled_from(["x", "y", "é", ""]), UNKNOWN), max_size=3), min_size=1, max_size=3))
@example([[("y", "null")], []])
@example([[("y", "1"), ("y", "1.0")]])
def test_what_is_rescued_does_not_depend_on_the_neighbours(records: list[list[tuple[str, str]]]) -> None:
    """Undeclared fields give the same text on the vectorised and the exact path."""
    texts = ["{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in record) + "}" for record in records]
    same_alone_and_together((field("x", "int"),), texts)


def same_alone_and_together(fields: tuple[Field, ...], texts: list[str]) -> None:
    bodies = [text.encode("utf-8", "surrogatepass") for text in texts]
    together, rejected, _ = read(b"\n".join(bodies), fields)
    alone = [read(body + b"\n!", fields) for body in bodies]  # the stray character asks for the scanner
    for name in (fields[0].name, "_rescued"):
        assert pa.array([row[name] for row in together]).equals(
            pa.array([row[name] for one in alone for row in one[0]])
        )
    assert [r.reason for r in rejected] == [r.reason for one in alone for r in one[1][:-1]]


# ---------------------------------------------------------------------------------------------- nothing is lost

NOTES = st.text(st.characters(codec="utf-8", exclude_characters="<\0"), max_size=20)
RECORDS = st.lists(
    st.tuples(st.sampled_from(["good", "good", "wrong type", "missing", "page", "cut"]), NOTES, st.integers(0, 99)),
    max_size=12,
)
JOINTS = st.sampled_from(["", " ", "\n", "\r\n", "\n\n", " \n"])


def written(kind: str, number: int, note: str, cut: int) -> str:
    record: dict[str, Any] = {"id": str(number), "x": {"id": [{"id": "nested"}]}, "n": number, "note": note}
    if kind == "page":
        return "<html>502 Bad Gateway</html>"
    if kind == "wrong type":
        record["n"] = "n/a"
    if kind == "missing":
        record["id"] = None
    text = json.dumps(record, ensure_ascii=bool(cut % 2))
    return text[: 7 + cut % (len(text) - 8)] if kind == "cut" else text


def split(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


@given(RECORDS, st.lists(JOINTS, min_size=12, max_size=12), st.integers(1, 200), st.integers(1, 64), st.integers(0, 3))
def test_everything_is_read_or_rejected(
    records: list[tuple[str, str, int]], joints: list[str], block: int, part: int, members: int
) -> None:
    """Any records, joined, compressed and cut in any way: the good ones come out, the bad ones are named."""
    texts = [written(kind, number, note, cut) for number, (kind, note, cut) in enumerate(records)]
    body = "".join(text + joint for text, joint in zip(texts, joints, strict=False)).encode()
    size = len(body) // (members or 1) + 1
    packed_body = b"".join(map(gzip.compress, split(body, size))) if members else body
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decompression, "BLOCK", block)
        rows, rejected, end = read(split(packed_body, part))
    good = [
        {"id": str(number), "n": number, "note": note, "_rescued": '{"x":{"id":[{"id":"nested"}]}}'}
        for number, (kind, note, _) in enumerate(records)
        if kind == "good"
    ]
    bad = len(records) - len(good)
    assert rows == good
    assert end == End(len(body), None)
    assert (bad > 0) == (len(rejected) > 0)
    if all("\n" in joint for joint in joints):
        assert len(rejected) == bad


# ---------------------------------------------------------------------------------------------- real data


@pytest.mark.parametrize("separator", ["none", "newline"])
@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("name", ["web_logs", "transactions"])
def test_real_records_come_out_as_expected(
    shared: Path, tmp_path: Path, declared: dict[str, Dataset], name: str, separator: str, compression: str
) -> None:
    """Two in a hundred records broken, one in a hundred repeated: per file, all good and all bad ones are counted."""
    options = ["--separator", separator, "--compression", compression, "--dirt", "0.02", "--duplicate", "0.01"]
    land = [sys.executable, str(shared / "tools" / "land.py"), name, "--out", str(tmp_path), *options]
    subprocess.run(land, check=True, capture_output=True)
    expected = json.loads((tmp_path / "expected.json").read_text(encoding="utf-8"))
    found, amounts, reasons = [], {}, Counter[str]()
    for file in expected["files"]:
        rows, rejected, end = read((tmp_path / file["key"]).read_bytes(), declared[name].record)
        found.append({"key": file["key"], "dirty": len(rejected), "problem": end.problem})
        amounts |= {row.get("transaction_id", (file["key"], at)): row for at, row in enumerate(rows)}
        reasons.update(record.reason.partition(":")[0] for record in rejected)
    assert found == [{"key": file["key"], "dirty": file["dirty"], "problem": None} for file in expected["files"]]
    assert sum(reasons.values()) == expected["dirty"]
    if name == "transactions":
        assert len(amounts) == expected["clean"]
        assert sum(row["amount"] for row in amounts.values()) == Decimal(str(expected["sum"]))
    else:
        assert len(amounts) == expected["clean"] + expected["duplicates"]


# ---------------------------------------------------------------------------------------------- tasks


def versions(*sizes: int) -> list[FileVersion]:
    return [FileVersion("raw", f"k{at}", f"v{at}", size) for at, size in enumerate(sizes)]


def test_files_are_packed_into_balanced_tasks() -> None:
    """Every file in one task; no task has much more to read than another."""
    files = versions(*(size << 20 for size in (9, 1, 1, 7, 1, 1, 3, 5)))
    tasks = packed(files, parallelism=2)
    assert sorted(index for task in tasks for index, _ in task) == list(range(8))
    loads = [sum(file.size for _, file in task) for task in tasks]
    assert (len(tasks), max(loads) <= 9 << 20) == (4, True)


def test_a_handful_of_small_files_is_one_task() -> None:
    """Starting a task costs more than reading them."""
    assert len(packed(versions(*[1_000] * (TASK_BYTES_MIN // REQUEST_BYTES - 1)), parallelism=8)) == 1


def test_many_small_files_keep_all_cores_busy_and_no_more() -> None:
    """Two tasks for each core."""
    assert len(packed(versions(*[10_000] * 500), parallelism=2)) == 4
