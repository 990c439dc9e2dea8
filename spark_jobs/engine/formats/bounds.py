"""Limits the number of rejected records per file and the length of reasons. No Spark, no S3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Optional

from spark_jobs.engine.decompression.decoding import on_one_line
from spark_jobs.engine.formats.records import End, Piece
from tidemark.core.job import Rejected

#: Rejected records per file that are listed; all others are counted and represented by one more record.
REJECTED_MAX = 100_000
REASON_MAX = 1_000  # characters; a reason that quotes a header of eight million quotes would help no reader


def bounded(pieces: Iterable[Piece], most: int = REJECTED_MAX) -> Iterator[Piece]:
    """The pieces of one file, with at most `most` rejected records and one that represents all further ones.

    The `End` reports that records are not listed as a problem of the file, because its count is then too low.
    """
    listed, more = 0, 0
    first: Optional[Rejected] = None
    for piece in pieces:
        if isinstance(piece, End):
            if first:
                yield [
                    first._replace(reason=f"{more} more rejected records, the first of them: {_brief(first.reason)}")
                ]
                problem = f"{listed + more} rejected records; {more} of them are not listed and count as one"
                piece_problem = f"{_brief(piece.problem)}; {problem}" if piece.problem else problem
                yield piece._replace(problem=piece_problem)
            else:
                yield piece._replace(problem=piece.problem and _brief(piece.problem))
        elif isinstance(piece, list):
            kept, rest = _split(piece, most - listed)
            listed, more, first = listed + len(kept), more + len(rest), first or (rest[0] if rest else None)
            if kept:
                yield kept
        else:
            yield piece


def _split(rejected: Sequence[Rejected], room: int) -> tuple[list[Rejected], list[Rejected]]:
    kept = [one._replace(reason=_brief(one.reason)) for one in rejected[:room]]
    return kept, list(rejected[room:])


def _brief(reason: str) -> str:
    """The reason on one line and with bounded length, as it may quote column names from the file."""
    return on_one_line(reason if len(reason) <= REASON_MAX else f"{reason[:REASON_MAX]}…")
