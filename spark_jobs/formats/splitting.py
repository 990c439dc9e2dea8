"""From lines to records of fields, by RFC 4180: quotes hold delimiters, line breaks and doubled quotes.

What is no record costs its own line alone: after a quote that nobody closes, or that swallowed lines which then do not
make a record, reading goes on at the line behind the one that opened it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Optional

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
    *,
    final: bool,
    overlong: bool = False,
    most: Optional[int] = None,
) -> tuple[list[Found], int]:
    """The records of whole lines, and how many lines are settled; a record that is open at the end waits for more.

    `width` is the number of fields, if it is known. Not `final`, but `overlong`: the first record waited long enough.
    At `most` so many are looked for.
    """
    found: list[Found] = []
    done = 0
    while done < len(lines) and (most is None or len(found) < most):
        opened = done
        try:
            for one in islice(_records(lines, opened, how, width), most):
                done = one.end
                if one.reason and one.end - one.first > 1:
                    done = one.first + 1
                    found.append(one._replace(end=done))
                    break
                found.append(one)
            else:
                return found, done if most and found else len(lines)
        except _BrokenError as error:
            waits = error.reason == UNCLOSED and not final and not (overlong and error.first == 0)
            if waits:
                return found, error.first
            done = error.first + 1
            found.append(Found(error.first, done, [], error.reason))
    return found, done


class _BrokenError(Exception):
    def __init__(self, first: int, reason: str) -> None:
        self.first, self.reason = first, reason


def _records(lines: Sequence[str], start: int, how: dict[str, Any], width: Optional[int]) -> Iterator[Found]:
    """The records from a line on; lines without anything are none."""
    reader = csv.reader((lines[number] for number in range(start, len(lines))), **how)
    first = start
    try:
        for fields in reader:
            end = start + reader.line_num
            if len(fields) == width or (fields and width is None):
                yield Found(first, end, fields, "")
            elif len(fields) > 1 or (fields and fields[0].strip()):
                yield Found(first, end, fields[:width], _unequal(fields, width or 0))
            first = end
    except csv.Error as error:
        raise _BrokenError(
            first, next((ours for theirs, ours in _REASONS if theirs in str(error)), str(error))
        ) from None


def _unequal(fields: Sequence[str], width: int) -> str:
    """Why these are not as many as there should be; fields behind the last that are empty lose nothing."""
    if len(fields) > width and not "".join(fields[width:]).strip():
        return ""
    return f"expected {width} fields, found {len(fields)}"
