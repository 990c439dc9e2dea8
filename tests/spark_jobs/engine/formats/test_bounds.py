"""How many records of one file are rejected one by one, and how long a reason may be."""

from __future__ import annotations

import pyarrow as pa

from spark_jobs.engine.formats.bounds import bounded
from spark_jobs.engine.formats.records import End, Piece
from tidemark.core.job import Rejected

BAD = [Rejected(at, at + 1, f"reason {at}", "x") for at in range(5)]
TABLE = pa.table({"id": [1]})


def test_few_rejected_records_are_passed_on_as_they_are() -> None:
    """Up to the bound, nothing changes."""
    pieces: list[Piece] = [BAD[:3], TABLE, BAD[3:], End(9, None)]
    assert list(bounded(pieces, most=5)) == pieces


def test_of_too_many_one_stands_for_the_rest() -> None:
    """It has their number and the first one's position and reason; later valid records are kept."""
    pieces = list(bounded([BAD[:2], BAD[2:4], TABLE, BAD[4:], End(9, None)], most=3))
    more = Rejected(3, 4, "2 more rejected records, the first of them: reason 3", "x")
    problem = "5 rejected records; 2 of them are not listed and count as one"
    assert pieces == [BAD[:2], [BAD[2]], TABLE, [more], End(9, problem)]


def test_another_problem_of_the_file_is_still_told() -> None:
    """The problem has both on one line."""
    *_, end = bounded([BAD, End(9, "gzip corrupt near byte 7")], most=4)
    assert end == End(9, "gzip corrupt near byte 7; 5 rejected records; 1 of them are not listed and count as one")


def test_a_reason_is_short() -> None:
    """It may quote the file, whose header line can be millions of characters long."""
    long = "expected a column id, found " + "x" * 5_000
    rejected, end = bounded([[Rejected(0, 1, long, "x")], End(9, long)])
    assert isinstance(rejected, list)
    assert isinstance(end, End)
    assert rejected[0].reason == end.problem == long[:1_000] + "…"


def test_a_reason_is_one_line() -> None:
    """The file's own names of columns may hold line breaks, zero bytes and what moves a terminal's cursor."""
    given = "expected a column id, found a\nb\0\x1b[2J é"
    rejected, end = bounded([[Rejected(0, 1, given, "x")], End(9, given)])
    assert isinstance(rejected, list)
    assert isinstance(end, End)
    assert rejected[0].reason == end.problem == "expected a column id, found a\\nb\\x00\\x1b[2J é"
