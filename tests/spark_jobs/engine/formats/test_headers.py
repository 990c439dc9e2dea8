"""Headers among the records of a delimited file."""

from __future__ import annotations

from typing import Any

import pytest

from spark_jobs.engine.formats import delimited
from tests.spark_jobs.engine.formats.delimited_read import field, read


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (b"note,id,n\nx,b,2\n", [{"id": "b", "n": 2, "note": "x"}]),
        (b"\xef\xbb\xbfnote,id,n\nx,b,2\n", [{"id": "b", "n": 2, "note": "x"}]),
        (b'"note","id",n\nx,b,2\n', [{"id": "b", "n": 2, "note": "x"}]),
        (b"id,n\nb,2\n", [{"id": "b", "n": 2}]),
        (b"color,id,n,note\nred,b,2,x\n", [{"id": "b", "n": 2, "note": "x", "_rescued": '{"color":"red"}'}]),
        (b"id,color,n\nb,red,2\n", [{"id": "b", "n": 2, "_rescued": '{"color":"red"}'}]),
    ],
    ids=["order", "mark", "quotes", "fewer", "more", "others"],
)
@pytest.mark.parametrize("end", [b"\n", b""])
def test_what_stands_behind_another_header_is_read_by_it(second: bytes, expected: list[Any], end: bytes) -> None:
    """Files were joined, with columns of their own; a value never goes into another's column."""
    if not end and second.startswith((b"color", b"id,color")):
        end = b"\n"  # where a name that nobody knows begins cannot be told behind a record
    rows, rejected, _ = read(b"id,n,note\na,1,y" + end + second)
    assert (rows, rejected) == ([{"id": "a", "n": 1, "note": "y"}, *expected], [])


def test_another_header_that_does_not_fit_is_a_problem_and_costs_what_follows() -> None:
    """The records before it are kept, and its position is reported."""
    rows, (one,), end = read(b"id,n,note\na,1,x\nn,note\n2,y\n")
    assert [row["id"] for row in rows] == ["a"]
    assert (one.position, one.line, one.reason) == (16, 3, "header: expected a column id, found n, note")
    assert end.problem == one.reason


@pytest.mark.parametrize("line", ["id,2,x", "a,1,note", "b,2,id", "n,3,the id"])
def test_a_value_may_be_the_name_of_a_column(line: str) -> None:
    """One name among other texts makes no header."""
    assert [row["id"] for row in read(f"id,n,note\n{line}\nz,9,\n".encode())[0]] == [
        line.split(",", maxsplit=1)[0],
        "z",
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"id,n,id\na,1,b\n", "header: expected each column once, found 'id' again"),
        (b"n,note\n1,x\n", "header: expected a column id, found n, note"),
        (b"id;n;note\na;1;x\n", "header: expected a column id, found id;n;note"),
        (b'id,"n\na,1\n', "header: quote not closed"),
        (b"id,\xff\na,1\n", "header: invalid UTF-8"),
        (b"PAR1" + bytes(200), "not CSV but a Parquet file"),
        (b"a.csv".ljust(257, b"\0") + b"ustar\x0000", "not CSV but a tar archive"),
    ],
)
def test_a_file_whose_header_does_not_fit_is_refused_whole(body: bytes, problem: str) -> None:
    """One rejected record and a problem, instead of a thousand records that are wrong in the same way."""
    rows, rejected, end = read(body)
    assert (rows, [one.reason for one in rejected], end.problem) == ([], [problem], problem)


def test_a_header_without_any_declared_column_is_refused() -> None:
    """Else another delimiter would make records of nothing."""
    assert read(b"x;y\n1;2\n", (field("x"), field("y")))[2].problem == "header: expected a column x or y, found x;y"


def test_lines_are_looked_at_once_however_many_headers_stand_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of small files may be joined to one."""
    looked: list[str] = []
    monkeypatch.setattr(delimited, "_unreadable", looked.append)
    rows, rejected, end = read(b"id,n\na,1\nn,id\n2,b\n" * 500)
    assert (len(rows), rejected, end.problem) == (1_000, [], None)
    assert len(looked) <= 2_000
