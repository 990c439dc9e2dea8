"""From lines to records of fields."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.engine import decompression
from spark_jobs.engine.formats import delimited, scanner, splitting
from spark_jobs.engine.formats.records import Rejected
from spark_jobs.engine.formats.scanner import Budget
from tests.spark_jobs.engine.formats.delimited_read import BARE, ids, read, reasons


def test_a_quote_that_nobody_closes_costs_its_own_line_alone() -> None:
    """The lines after it are records again, and none of them is lost."""
    body = b'id,n,note\na,1,x\nb,2,"never\nc,3,y\nd,4,z\n'
    rows, rejected, _ = read(body)
    assert [row["id"] for row in rows] == ["a", "c", "d"]
    assert rejected == [Rejected(16, 3, "quote not closed", 'b,2,"never')]


@pytest.mark.parametrize(
    ("body", "kept", "expected"),
    [
        (b'b,2,"never\nc,3,"y"\nd,4,z\n', ["c", "d"], [(2, "text after a closing quote")]),
        (b'b,2,"never\nc,3,y\n"d",4,z\n', ["c", "d"], [(2, "text after a closing quote")]),
        (b'b,2,"never\nc,3,y\nd,4,",z"\ne,5,z\n', ["c", "d", "e"], [(2, "expected 3 fields, found 4")]),
        (b'b,2,"x"y\nc,3,z\n', ["c"], [(2, "text after a closing quote")]),
    ],
)
def test_a_quote_out_of_place_never_swallows_records(
    body: bytes, kept: list[str], expected: list[tuple[int, str]]
) -> None:
    """What the quote reaches over is read again, line by line, when it does not make a record."""
    body = b"id,n,note\n" + body
    assert (ids(body), reasons(body)) == (kept, expected)


def test_a_quote_that_stays_open_beyond_reason_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: the opening line is rejected, the rest read again."""
    monkeypatch.setattr(delimited, "RECORD_MAX", 100)
    monkeypatch.setattr(decompression, "BLOCK", 40)
    body = b'id,n,note\na,1,"x\n' + b"b,2,y\n" * 100
    rows, rejected, _ = read(body)
    assert (len(rows), [(one.line, one.reason) for one in rejected]) == (100, [(2, "quote not closed")])


@given(st.text(alphabet='a,"\n', max_size=60))
def test_every_line_is_part_of_a_record_or_rejected(text: str) -> None:
    """No line is lost, for any placement of quotes."""
    lines = list(io.StringIO(text, newline=""))
    found, done = splitting.split(lines, splitting.dialect(BARE), 2, Budget(), final=True)
    covered = Counter(number for one in found for number in range(one.first, one.end))
    assert done == len(lines)
    assert all(covered[number] == (1 if line.strip('"\n') else covered[number]) for number, line in enumerate(lines))
    assert max(covered.values(), default=0) <= 1


@pytest.mark.parametrize("end", ["", 'x"\n', 'x"y\n', "1,2\n"])
def test_lines_that_each_swallow_all_others_cost_a_bound_of_their_size(end: str) -> None:
    """Each line closes a quote and opens another, which extends to the end or to an invalid record."""
    lines, budget = ['1,a","b\n'] * 3_000 + [end] * bool(end), Budget(10_000)
    found, done = splitting.split(lines, splitting.dialect(BARE), 2, budget, final=True)
    size = sum(map(len, lines))
    assert done == len(lines)
    assert {one.first for one in found if one.reason} >= set(range(2_998))
    assert budget.spent <= 10_000 + (scanner.EARNED + 1) * size


def test_a_quote_is_waited_for_again_when_enough_good_lines_followed() -> None:
    """What broken lines cost is earned back by those that are settled."""
    lines, budget = [*['1,a","b\n'] * 100, *["1,2\n"] * 1_000, '1,"a\n', 'b"\n'], Budget(1)
    found, _ = splitting.split(lines, splitting.dialect(BARE), 2, budget, final=True)
    assert found[-1].fields == ["1", "a\nb"]
    assert [one.reason for one in found[-1_001:]] == [""] * 1_001
