"""Objects that contain several files, in every format: all records are read once, in any distribution."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
from collections.abc import Callable, Sequence

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import orc

from spark_jobs.engine.formats import reader_for
from tests.spark_jobs.reading import Read, sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field, Format

Row = tuple[str, str]
FIELDS = (Field("id", ColumnType.parse("string(64)"), True), Field("note", ColumnType.parse("string(4096)")))
FORMATS = {"json": Format("json"), "csv": Format("csv"), "tsv": Format("tsv", delimiter="\t")} | {
    type_: Format(type_) for type_ in ("parquet", "orc", "avro")
}


def text(rows: Sequence[Row], delimiter: str, *, turned: bool) -> bytes:
    """A file with a header; with `turned`, its columns are reversed and follow a byte order mark."""
    lines = [("id", "note"), *rows]
    body = "".join(delimiter.join(line[::-1] if turned else line) + "\n" for line in lines)
    return body.encode("utf-8-sig" if turned else "utf-8")


def table(rows: Sequence[Row], *, turned: bool) -> pa.Table:
    found = pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(("id", "note"))})
    return found.select(["note", "id"]) if turned else found


def parquet(rows: Sequence[Row], *, turned: bool) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table(rows, turned=turned), sink, write_page_index=turned)
    return sink.getvalue()


def as_orc(rows: Sequence[Row], *, turned: bool) -> bytes:
    sink = io.BytesIO()
    orc.write_table(table(rows, turned=turned), sink, compression="zlib" if turned else "uncompressed")
    return sink.getvalue()


def avro(rows: Sequence[Row], *, turned: bool) -> bytes:
    names = ["note", "id"] if turned else ["id", "note"]
    schema = {"type": "record", "name": "r", "fields": [{"name": name, "type": "string"} for name in names]}
    sink = io.BytesIO()
    fastavro.writer(sink, schema, [{"id": id_, "note": note} for id_, note in rows], codec="deflate")
    return sink.getvalue()


def json_lines(rows: Sequence[Row], *, turned: bool) -> bytes:
    body = "".join(f'{{"id":"{id_}","note":"{note}"}}\n' for id_, note in rows)
    return body.encode("utf-8-sig" if turned else "utf-8")


WRITERS: dict[str, Callable[..., bytes]] = {
    "json": json_lines,
    "csv": lambda rows, turned: text(rows, ",", turned=turned),
    "tsv": lambda rows, turned: text(rows, "\t", turned=turned),
    "parquet": parquet,
    "orc": as_orc,
    "avro": avro,
}


def archive(files: Sequence[bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as zipped:
        for number, file in enumerate(files):
            zipped.writestr(f"{number}", file)
    return sink.getvalue()


def each(pack: Callable[[bytes], bytes]) -> Callable[[Sequence[bytes]], bytes]:
    return lambda files: b"".join(map(pack, files))


def zstd(plain: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(plain)
    return bytes(sink.getvalue().to_pybytes())


CONTAINERS: dict[str, Callable[[Sequence[bytes]], bytes]] = {
    "joined": b"".join,
    "gzip of each": each(gzip.compress),
    "bzip2 of each": each(bz2.compress),
    "zstd of each": each(zstd),
    "gzip of all": lambda files: gzip.compress(b"".join(files)),
    "zip": archive,
    "zip of gzip": lambda files: archive([gzip.compress(file) for file in files]),
    "zip of zip": lambda files: archive([archive([file]) for file in files]),
    "zips joined": lambda files: b"".join(archive([file]) for file in files),
    "gzip of zip": lambda files: gzip.compress(archive(files)),
}


def read(body: bytes, type_: str, part: int | None = None) -> Read:
    parts = [body] if part is None else [body[at : at + part] for at in range(0, len(body), part)]
    return sorted_out(reader_for(FORMATS[type_], FIELDS), parts)


words = st.text(st.sampled_from("abcXYZ019 é€"), min_size=1, max_size=8).map(lambda word: f"w{word}w")
some_rows = st.lists(st.lists(st.tuples(words, words), min_size=1, max_size=6), min_size=1, max_size=4)
rows_of_files = st.lists(st.lists(st.tuples(words, words), max_size=6), min_size=1, max_size=4)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("type_", WRITERS)
@settings(max_examples=6, deadline=None)
@given(files=rows_of_files, turned=st.lists(st.booleans(), min_size=4, max_size=4), part=st.integers(1, 64))
def test_the_same_records_come_out_however_they_are_spread_over_files(
    type_: str, container: str, files: list[list[Row]], turned: list[bool], part: int
) -> None:
    """Each file has its own header, columns, mark and footer; where the parts are cut does not matter."""
    body = CONTAINERS[container]([WRITERS[type_](rows, turned=turn) for rows, turn in zip(files, turned, strict=False)])
    rows, rejected, end = read(body, type_)
    assert [(row["id"], row["note"]) for row in rows] == [row for file in files for row in file]
    assert (rejected, end.problem) == ([], None)
    assert read(body, type_, part) == (rows, rejected, end)


@pytest.mark.parametrize("type_", ["csv", "tsv"])
@settings(max_examples=30, deadline=None)
@given(files=some_rows, turned=st.lists(st.booleans(), min_size=4, max_size=4), part=st.integers(1, 64))
def test_files_whose_last_line_does_not_end_are_told_apart(
    type_: str, files: list[list[Row]], turned: list[bool], part: int
) -> None:
    """`cat` puts a header after the last record, on the same line."""
    bodies = [WRITERS[type_](rows, turned=turn).rstrip(b"\n") for rows, turn in zip(files, turned, strict=False)]
    rows, rejected, end = read(b"".join(bodies), type_)
    assert [(row["id"], row["note"]) for row in rows] == [row for file in files for row in file]
    assert (rejected, end.problem) == ([], None)
    assert read(b"".join(bodies), type_, part) == (rows, rejected, end)


@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from(
            ["id,note", "note,id", "id,note,more", "\ufeffnote,id", "a,b", "a", 'a,"b', 'b"c,d', "", ",", "a,b,c"]
        )
    ),
    part=st.integers(1, 32),
)
def test_whatever_the_lines_are_each_is_a_record_or_a_reason(lines: list[str], part: int) -> None:
    """Headers, records and noise in any order give the same in any parts, and no line that says something vanishes."""
    body = "\n".join(["id,note", *lines, ""]).encode()
    rows, rejected, end = read(body, "csv")
    assert read(body, "csv", part) == (rows, rejected, end)
    silent = [line for line in lines if line.strip("\ufeff") in ("", "id,note", "note,id", "id,note,more")]
    spoken = len(lines) - len(silent)
    assert end.problem or len(rows) + len(rejected) >= spoken - sum('"' in line for line in lines)


# ---------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize("type_", ["csv", "parquet", "orc", "avro"])
def test_an_entry_that_is_something_else_costs_no_other(type_: str) -> None:
    """It is one rejected record and a problem, and both say which entry."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as zipped:
        zipped.writestr("README.txt", "Exported by tool\n")
        zipped.writestr("a", WRITERS[type_]([("1", "x")], turned=False))
    rows, rejected, end = read(sink.getvalue(), type_)
    assert [row["id"] for row in rows] == ["1"]
    assert [one.reason for one in rejected] == [end.problem]
    assert str(end.problem).startswith("entry README.txt: ")


def test_a_rejected_record_says_in_which_entry_it_stands() -> None:
    """Its line and position count within that entry."""
    _, (one,), end = read(archive([b"id,note\n1,a\n", b"id,note\n1,2,3\n"]), "csv")
    assert (one.position, one.line, one.reason) == (8, 2, "entry 1: expected 2 fields, found 3")
    assert end.problem is None


def test_of_many_problems_the_first_are_told() -> None:
    """The problem of a file remains readable; each entry has its rejected record."""
    _, rejected, end = read(archive([b"nothing\n"] * 12), "csv")
    problem = str(end.problem)
    assert (len(rejected), problem.count("entry "), problem.endswith("; and 2 more")) == (12, 10, True)


@pytest.mark.parametrize("type_", ["parquet", "orc"])
def test_a_torn_file_among_joined_ones_costs_no_other(type_: str) -> None:
    """Only its footer is missing, whether it is the first or the last file."""
    a, b = (WRITERS[type_]([(name, "x")], turned=False) for name in "ab")
    for body, kept in ((a[:-30] + b, "b"), (a + b[:-12], "a")):
        rows, rejected, end = read(body, type_)
        assert [row["id"] for row in rows] == [kept]
        assert [one.reason for one in rejected] == [end.problem]


@pytest.mark.parametrize("type_", ["parquet", "orc"])
def test_of_a_torn_gzip_the_whole_files_are_read(type_: str) -> None:
    """The problem says what is torn."""
    a, b = (WRITERS[type_]([(name, "x")], turned=False) for name in "ab")
    rows, rejected, end = read((gzip.compress(a) + gzip.compress(b))[:-30], type_)
    assert ([row["id"] for row in rows], len(rejected)) == (["a"], 1)
    assert str(end.problem).startswith("gzip truncated at byte ")


def test_marks_and_files_in_a_column_are_values() -> None:
    """A Parquet file may hold Parquet files."""
    blob = WRITERS["parquet"]([("a", "x")], turned=False) * 2
    sink = io.BytesIO()
    values = pa.table({"id": ["PAR1PAR1", "PAR1"], "note": ["x", "y"], "blob": [blob, blob]})
    pq.write_table(values, sink, compression="none", use_dictionary=False, write_page_index=True)
    for body in (sink.getvalue(), sink.getvalue() * 2):
        rows, rejected, end = read(body, "parquet")
        assert [row["id"] for row in rows] == ["PAR1PAR1", "PAR1"] * (len(body) // len(sink.getvalue()))
        assert (rejected, end.problem) == ([], None)


def test_a_second_avro_file_with_other_fields_is_a_problem() -> None:
    """It has a schema of its own, which may lack what is required."""
    sink = io.BytesIO()
    fastavro.writer(sink, {"type": "record", "name": "r", "fields": [{"name": "x", "type": "int"}]}, [{"x": 1}])
    rows, rejected, end = read(avro([("1", "a")], turned=False) + sink.getvalue(), "avro")
    assert [row["id"] for row in rows] == ["1"]
    assert [one.reason for one in rejected] == [end.problem] == ["expected a column id, found x"]
