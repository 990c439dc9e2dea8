"""One file of JSON records, read block by block."""

from __future__ import annotations

import pytest

from spark_jobs.engine.formats.records import RAW_MAX, RecordReader
from tests.spark_jobs.reading import sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field

READER = RecordReader([Field("id", ColumnType.parse("string(8)"), required=True), Field("n", ColumnType.parse("int"))])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_records_are_the_same_however_their_bytes_are_cut(size: int) -> None:
    """Rows, places and the file's length do not depend on the blocks."""
    body = b'{"id":"a","n":1}\n{"id":"b","n":"x"}{"id":"c"}\n'
    rows, rejected, end = sorted_out(READER, [body[at : at + size] for at in range(0, len(body), size)])
    assert [(row["id"], row["n"]) for row in rows] == [("a", 1), ("c", None)]
    assert [(one.position, one.line) for one in rejected] == [(17, 2)]
    assert end == (len(body), None)


def test_a_reader_keeps_nothing_between_two_files() -> None:
    """Places begin anew, and half a record of one file is none of the next."""
    first = sorted_out(READER, b'{"id":"a"')
    second = sorted_out(READER, b'{"id":"b"}')
    assert [one.position for one in first[1]] == [0]
    assert ([row["id"] for row in second[0]], second[1]) == (["b"], [])


def test_the_raw_text_of_a_rejected_record_is_cut() -> None:
    """A person reads it; its first characters are enough."""
    long = b'{"id":"a","n":"' + b"x" * (2 * RAW_MAX) + b'"}'
    _, [rejected], end = sorted_out(READER, long)
    assert (len(rejected.raw), rejected.raw[:14]) == (RAW_MAX, '{"id":"a","n":')
    assert end.bytes == len(long)


def test_a_file_of_another_kind_is_named() -> None:
    """One rejected record and a problem of the file, and no row."""
    rows, rejected, end = sorted_out(READER, b"PAR1" + bytes(100) + b"PAR1")
    assert (rows, len(rejected)) == ([], 1)
    assert end.problem
    assert end.problem.startswith("not JSON but ")
    assert rejected[0].reason == end.problem
