"""From lines to records of fields, by RFC 4180: quotes hold delimiters, line breaks and doubled quotes.

Where files were joined, a header stands among the records. Splitting ends there: from it on others are the columns.

What is no record costs its own line alone: after a quote that nobody closes, or that swallowed lines which then do not
make a record, reading goes on at the line behind the one that opened it. Text can be made so that each line swallows
all others; what that costs is bounded by a `Budget`, beyond which a record is looked for in its own line alone.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Optional

from spark_jobs.engine.formats.headers import MARK, Headers
from spark_jobs.engine.formats.scanner import Budget
from tidemark.core.dataset import Format

#: Of a field, in characters. Python's own limit is a process's, and 128 KB.
FIELD_MAX = 64 << 20
csv.field_size_limit(FIELD_MAX)

UNCLOSED = "quote not closed"
_REASONS = (
    ("unexpected end of data", UNCLOSED),
    ("expected after", "text behind a closing quote"),
    ("field larger", f"a field of more than {FIELD_MAX} characters"),
    ("NUL", "a zero byte"),  # before Python 3.11
)


#: Reasons of what is not rejected, but stands where other columns begin.
HEADER = "a header"
GLUED = "a header behind a record whose line does not end"


class Found(NamedTuple):
    """One record, or a line that is none."""

    first: int  # line
    end: int  # the line behind it
    fields: list[str]
    reason: str  # why it is none


def dialect(format_: Format) -> dict[str, Any]:
    """What the format declares, as `csv` wants it."""
    return {"delimiter": format_.delimiter, "skipinitialspace": format_.trim, "strict": True}


def split(
    lines: Sequence[str],
    how: dict[str, Any],
    width: Optional[int],
    budget: Budget,
    *,
    final: bool,
    start: int = 0,
    headers: Optional[Headers] = None,
    marked: bool = False,
    overlong: bool = False,
    most: Optional[int] = None,
) -> tuple[list[Found], int]:
    """The records of whole lines from `start` on, and up to which line all is settled; one that is open waits for more.

    `width` is the number of fields, if it is known. Not `final`, but `overlong`: the first record waited long enough.
    At `most` so many are looked for. `marked`: a byte order mark may begin a line. Where `headers` tells of others,
    nothing more is looked for: `HEADER` or `GLUED`, which is not settled, is the last that is found.
    """
    found: list[Found] = []
    done = start
    while done < len(lines) and (most is None or len(found) < most):
        opened, far = done, budget.left > 0
        stretch = range(opened, len(lines) if far else opened + 1)
        try:
            for one in islice(_records(lines, stretch, how, width, headers, marked=marked), most):
                done = one.end
                if one.reason in (HEADER, GLUED):
                    return [*found, one], one.first
                if one.reason and one.end - one.first > 1:
                    done = one.first + 1
                    found.append(one._replace(end=done))
                    budget.settle(0, _characters(lines, one.first, one.end))
                    break
                found.append(one)
            else:
                done = done if most and found else stretch.stop
        except _BrokenError as error:
            waits = error.reason == UNCLOSED and not final and far and not (overlong and error.first == start)
            if waits:
                return found, error.first
            done = error.first + 1
            if headers and headers.glued_at(lines[error.first]):
                return [*found, Found(error.first, done, [], GLUED)], error.first
            found.append(Found(error.first, done, [], error.reason))
            budget.settle(0, _characters(lines, done, error.end))
        budget.settle(_characters(lines, opened, done))
    return found, done


def _characters(lines: Sequence[str], start: int, end: int) -> int:
    return sum(map(len, lines[start:end]))


class _BrokenError(Exception):
    """No record begins at the line `first`; that was seen at the line before `end`."""

    def __init__(self, first: int, end: int, reason: str) -> None:
        self.first, self.end, self.reason = first, end, reason


def _records(
    lines: Sequence[str],
    stretch: range,
    how: dict[str, Any],
    width: Optional[int],
    headers: Optional[Headers],
    *,
    marked: bool,
) -> Iterator[Found]:
    """The records in a stretch of lines; empty lines are none, nor is a header that repeats the one before."""
    start, feed = stretch.start, (lines[number] for number in stretch)
    unmarked = _Unmarked(feed) if marked else None
    reader = csv.reader(unmarked or feed, **how)
    first = start
    try:
        for fields in reader:
            end = start + reader.line_num
            header = (
                ""
                if headers is None or headers.words.isdisjoint(fields)
                else _header(fields, lines[end - 1], width, headers)
            )
            if header:
                if header != _REPEATED:
                    yield Found(first, end, fields, header)
            elif len(fields) == width or (width is None and "".join(fields).strip()):
                yield Found(first, end, fields, "")
            elif width is not None and (len(fields) > 1 or (fields and fields[0].strip())):
                yield Found(first, end, fields[:width], _unequal(fields, width))
            first = end
            if unmarked:
                unmarked.opens = True
    except csv.Error as error:
        reason = next((ours for theirs, ours in _REASONS if theirs in str(error)), str(error))
        raise _BrokenError(first, start + reader.line_num, reason) from None


def _header(fields: list[str], line: str, width: Optional[int], headers: Headers) -> str:
    """Whether the record, which ends with this line, is a header or ends with one."""
    if headers.same(fields):
        return _REPEATED
    at = headers.glued_at(line)
    # A record of as many fields as it should have ends with a header only if a mark or a quote says so.
    if at and (len(fields) != width or not {MARK, '"'}.isdisjoint(line[at - 1 : at + 1])):
        return GLUED
    return HEADER if headers.other(fields) else ""


_REPEATED = "the header again"


class _Unmarked:
    """Lines without the byte order mark with which a record may begin: that of a file which was joined."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.opens = True  # the next line begins a record

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        begins, self.opens = self.opens and line.startswith(MARK), False
        return line[len(MARK) :] if begins else line


def _unequal(fields: Sequence[str], width: int) -> str:
    """Why these are not as many as there should be; fields behind the last that are empty lose nothing."""
    if len(fields) > width and not "".join(fields[width:]).strip():
        return ""
    return f"expected {width} fields, found {len(fields)}"
