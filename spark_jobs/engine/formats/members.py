"""Reads each member of an object as a separate file, and combines their ends into one for the object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Optional

import pyarrow as pa

from spark_jobs.engine import decompression

if TYPE_CHECKING:
    from spark_jobs.engine.formats.records import Piece

ReadMember = Callable[[Iterator[bytes]], "Iterator[Piece]"]

_PROBLEMS_MAX = 10  # problems of a file that are listed in full


def read_members(parts: Iterable[bytes], encoding: Optional[str], read_member: ReadMember) -> Iterator[Piece]:
    """All content of an object. `encoding` applies to text without a byte order mark; None for binary formats.

    Reasons and problems name the member in an archive; positions and lines count within the member.
    """
    size, problems = 0, []
    for member in decompression.members(parts, encoding):
        for piece in read_member(member.parts):
            if isinstance(piece, pa.Table):
                yield piece
            elif isinstance(piece, list):
                yield [one._replace(reason=_named(one.reason, member.name)) for one in piece]
            else:
                size += piece.bytes
                problems += [_named(piece.problem, member.name)] if piece.problem else []
                end = piece
    yield end._replace(bytes=size, problem=one_line(problems))  # every object has a member, and every member an end


def _named(text: str, name: str) -> str:
    return f"entry {name}: {text}" if name else text


def one_line(problems: Sequence[str]) -> Optional[str]:
    """The problems of a file on one line, at most `_PROBLEMS_MAX` of them and the number of the others; else None."""
    more = len(problems) - _PROBLEMS_MAX
    listed = "; ".join(problems[:_PROBLEMS_MAX])
    return (f"{listed}; and {more} more" if more > 0 else listed) or None
