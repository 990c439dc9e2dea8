"""From an object to what its members hold: each is read as a file of its own, and the object has one end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Optional

import pyarrow as pa

from spark_jobs.engine import decompression

if TYPE_CHECKING:
    from spark_jobs.engine.formats.records import Piece

ReadMember = Callable[[Iterator[bytes]], "Iterator[Piece]"]

_PROBLEMS_MAX = 10  # of a file's that are told in full


def read_members(parts: Iterable[bytes], encoding: Optional[str], read_member: ReadMember) -> Iterator[Piece]:
    """All that an object's bytes hold; `encoding` is that of text which does not say it, None for what is no text.

    What is said of a member in an archive names it; positions and lines count within the member.
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
    yield end._replace(bytes=size, problem=one_line(problems))  # an object has a member, and a member an end


def _named(text: str, name: str) -> str:
    return f"entry {name}: {text}" if name else text


def one_line(problems: Sequence[str]) -> Optional[str]:
    """All that is wrong with a file; of many the first, and how many more there are. None when nothing is."""
    more = len(problems) - _PROBLEMS_MAX
    told = "; ".join(problems[:_PROBLEMS_MAX])
    return (f"{told}; and {more} more" if more > 0 else told) or None
