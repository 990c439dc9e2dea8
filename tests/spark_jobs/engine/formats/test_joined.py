"""Parquet and ORC files that were joined byte by byte."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from spark_jobs.engine.formats.joined import Part, files


def parquet(*numbers: int) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"n": pa.array(numbers, pa.int64())}), sink)
    return sink.getvalue()


def as_orc(*numbers: int) -> bytes:
    sink = io.BytesIO()
    orc.write_table(pa.table({"n": pa.array(numbers, pa.int64())}), sink)
    return sink.getvalue()


def parts(body: bytes, type_: str) -> list[bytes]:
    """The bytes of each file that was found."""
    found = []
    for file in files(io.BytesIO(body), type_):
        file.seek(0)
        found.append(file.read())
    return found


WRITERS = [("parquet", parquet), ("orc", as_orc)]


@pytest.mark.parametrize(("type_", "write"), WRITERS)
def test_joined_files_are_told_apart(type_: str, write: object) -> None:
    """In their order; a single file is itself, and nothing is none."""
    one, two, three = write(1), write(2, 3), write()  # type: ignore[operator]
    assert parts(one + two + three, type_) == [one, two, three]
    assert parts(one, type_) == [one]
    assert parts(b"", type_) == []


@pytest.mark.parametrize(("type_", "write"), WRITERS)
def test_a_torn_file_costs_no_other(type_: str, write: object) -> None:
    """Its part stands there for the reader to name."""
    whole, torn = write(1), write(2, 3)[:-9]  # type: ignore[operator]
    assert parts(torn + whole, type_) == [torn, whole]
    assert b"".join(parts(whole + torn, type_)) == whole + torn


def test_a_part_is_a_file_of_its_own() -> None:
    """It begins at 0, ends where it ends, and can be read anywhere."""
    part = Part(io.BytesIO(b"abcdefgh"), 2, 6)
    assert (part.size, part.read(2), part.tell(), part.read(), part.read()) == (4, b"cd", 2, b"ef", b"")
    assert (part.seek(-1, 2), part.read(9)) == (3, b"f")
    assert (part.seek(1), part.seek(1, 1), part.read(1)) == (1, 2, b"e")
