"""Splits lines into records of fields by RFC 4180: quoted fields may have delimiters, line breaks and doubled quotes.

In concatenated files, a header occurs among the records. Splitting stops there, because the columns may change.

A malformed record affects only its own line: after an unclosed quote, or a quoted field whose lines do not make up a
valid record, splitting continues at the line after the one with the opening quote. Malicious text can make each line's
quote extend over all following lines. A `Budget` limits this cost; beyond it, a record must be on a single line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Optional

from spark_jobs.engine.formats.headers import MARK, Headers
from spark_jobs.engine.formats.scanner import Budget
from tidemark.core.dataset import Format

#: Maximum characters of a field. Python's limit is set per process; its default is 128 KB.
FIELD_MAX = 64 << 20
csv.field_size_limit(FIELD_MAX)

UNCLOSED = "quote not closed"
_REASONS = (
    ("unexpected end of data", UNCLOSED),
    ("expected after", "text after a closing quote"),
    ("field larger", f"a field of more than {FIELD_MAX} characters"),
    ("NUL", "a zero byte"),  # before Python 3.11
)


#: Reasons that do not reject a record, but mark the beginning of another header.
HEADER = "a header"
GLUED = "a header after a record whose line does not end"


class SplitRecord(NamedTuple):
    """One record, or a line that is not a record."""

    first: int  # line
    end: int  # the line after it
    fields: list[str]
    reason: str  # why it is not a record, or empty


def dialect(format_: Format) -> dict[str, Any]:
    """The format's declaration as keyword arguments for `csv.reader`."""
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
) -> tuple[list[SplitRecord], int]:
    """The records of complete lines from `start` on, and the line up to which they are settled.

    `width` is the number of fields, if known. Unless the lines are `final`, a record with an open quote waits for more
    lines; with `overlong`, the first record no longer waits. Returns at `most` that many records. With `marked`, a
    record may begin with a byte order mark. If `headers` detects another header, the last record has the reason
    `HEADER` or `GLUED`, and is not settled.
    """
    records: list[SplitRecord] = []
    done = start
    while done < len(lines) and (most is None or len(records) < most):
        opened, far = done, budget.left > 0
        stretch = range(opened, len(lines) if far else opened + 1)
        try:
            for one in islice(_records(lines, stretch, how, width, headers, marked=marked), most):
                done = one.end
                if one.reason in (HEADER, GLUED):
                    return [*records, one], one.first
                if one.reason and one.end - one.first > 1:
                    done = one.first + 1
                    records.append(one._replace(end=done))
                    budget.settle(0, _characters(lines, one.first, one.end))
                    break
                records.append(one)
            else:
                done = done if most and records else stretch.stop
        except _BrokenError as error:
            waits = error.reason == UNCLOSED and not final and far and not (overlong and error.first == start)
            if waits:
                return records, error.first
            done = error.first + 1
            if headers and headers.glued_at(lines[error.first]):
                return [*records, SplitRecord(error.first, done, [], GLUED)], error.first
            records.append(SplitRecord(error.first, done, [], error.reason))
            budget.settle(0, _characters(lines, done, error.end))
        budget.settle(_characters(lines, opened, done))
    return records, done


def _characters(lines: Sequence[str], start: int, end: int) -> int:
    return sum(map(len, lines[start:end]))


class _BrokenError(Exception):
    """The text from line `first` on is not a record; the error was detected in the line before `end`."""

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
) -> Iterator[SplitRecord]:
    """The records in a stretch of lines, without empty lines and repetitions of the previous header."""
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
                    yield SplitRecord(first, end, fields, header)
            elif len(fields) == width or (width is None and "".join(fields).strip()):
                yield SplitRecord(first, end, fields, "")
            elif width is not None and (len(fields) > 1 or (fields and fields[0].strip())):
                yield SplitRecord(first, end, fields[:width], _unequal(fields, width))
            first = end
            if unmarked:
                unmarked.opens = True
    except csv.Error as error:
        reason = next((ours for theirs, ours in _REASONS if theirs in str(error)), str(error))
        raise _BrokenError(first, start + reader.line_num, reason) from None


def _header(fields: list[str], line: str, width: Optional[int], headers: Headers) -> str:
    """`HEADER`, `GLUED` or `_REPEATED` if the record, which ends with this line, is a header or ends with one."""
    if headers.same(fields):
        return _REPEATED
    at = headers.glued_at(line)
    # A record with the right number of fields ends with a header only if a byte order mark or a quote separates them.
    if at and (len(fields) != width or not {MARK, '"'}.isdisjoint(line[at - 1 : at + 1])):
        return GLUED
    return HEADER if headers.other(fields) else ""


_REPEATED = "the header again"


class _Unmarked:
    """Removes the byte order marks at the beginning of records, which come from concatenated files."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.opens = True  # whether the next line begins a record

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        begins, self.opens = self.opens and line.startswith(MARK), False
        return line[len(MARK) :] if begins else line


def _unequal(fields: Sequence[str], width: int) -> str:
    """The reason for a wrong number of fields; empty if there are only additional empty fields."""
    if len(fields) > width and not "".join(fields[width:]).strip():
        return ""
    return f"expected {width} fields, found {len(fields)}"
