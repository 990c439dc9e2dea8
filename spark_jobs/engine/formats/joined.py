"""Finds the individual files in concatenated Parquet or ORC files.

Their footer is at the end and contains offsets from the file's beginning. In concatenated files, a reader would find
only the last footer and apply its offsets to the first file. The extent of a file's content according to its footer
shows where the file begins. If that fails or there is no footer, a file's beginning is recognized by its magic bytes
directly after those that end the previous file.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

import pyarrow as pa
from pyarrow.orc import ORCFile

from spark_jobs.engine.decompression.source import DamagedError
from spark_jobs.engine.formats.isolated import answered
from spark_jobs.engine.formats.orc_moments import content_end
from spark_jobs.engine.formats.parquet_extent import extent

_PIECE = 1 << 20
_MARKS = 2  # magic bytes in a single file, at its beginning and at its end
_MEETS_MAX = 10_000  # boundaries, more than anyone concatenates files
#: Parsing a byte of a footer takes about a thousand times as long as searching a byte for magic bytes.
_PER_FOOTER_BYTE = 1_000
_TAIL = 8  # bytes of a Parquet file after its footer: the footer's length and the magic bytes


class Part(io.RawIOBase):
    """A section of a file, as a file."""

    def __init__(self, file: Any, begin: int, end: int) -> None:
        super().__init__()
        self._file, self._begin, self.size = file, begin, end - begin
        self._at = 0

    def read(self, count: int = -1) -> bytes:
        """As in any file object."""
        count = self.size - self._at if count < 0 else min(count, self.size - self._at)
        self._file.seek(self._begin + self._at)
        data: bytes = self._file.read(max(0, count))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """As in any file object."""
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def tell(self) -> int:
        """As in any file object."""
        return self._at

    def readable(self) -> bool:
        """As in any file object."""
        return True

    def seekable(self) -> bool:
        """As in any file object."""
        return True


class _Kind(NamedTuple):
    magic: bytes
    meets: bytes  # the end of one file followed by the beginning of the next
    length: Callable[[Part], Optional[int]]  # of the file at the end of a section; None if there is none
    footer: Callable[[Part], int]  # bytes of the footer that `length` parses in Python


def files(spool: Any, type_: str) -> list[Any]:
    """The files in order; other content and truncated files count as files, which the reader then reports."""
    end = spool.seek(0, 2)
    try:
        spans = answered(lambda: _spans(spool, type_, end)) if type_ == "orc" else _spans(spool, type_, end)
    except DamagedError:  # damaged content can crash ORC's library
        spans = [(0, end)]
    return [spool if last - first == end else Part(spool, first, last) for first, last in spans]


def _spans(spool: Any, type_: str, end: int) -> list[tuple[int, int]]:
    """The beginning and end of each file."""
    kind = _KINDS[type_]
    whole = Part(spool, 0, end)
    small = kind.footer(whole) * _PER_FOOTER_BYTE < end
    if (small and kind.length(whole) == end) or _marks(spool, kind.magic) <= _MARKS:
        return [(0, end)] if end else []
    positions = _positions(whole, kind.meets)
    meets = [at + len(kind.meets) - len(kind.magic) for at in deque(positions, _MEETS_MAX)]
    spans: list[tuple[int, int]] = []
    while end:
        begin = _begin(spool, end, kind, meets)
        spans.append((begin, end))
        end = begin
    return spans[::-1]


def _marks(spool: Any, magic: bytes) -> int:
    """How often the magic bytes occur in the spool."""
    spool.seek(0)
    count, held = 0, b""
    while piece := spool.read(_PIECE):
        held += piece
        count += held.count(magic)
        held = held[1 - len(magic) :]
    return count


def _begin(spool: Any, end: int, kind: _Kind, meets: Sequence[int]) -> int:
    """The beginning of the file that ends at this byte."""
    length = kind.length(Part(spool, 0, end))
    begin = end - 1 if length is None else end - length
    if length is not None and begin >= 0 and Part(spool, begin, end).read(len(kind.magic)) == kind.magic:
        return begin
    before = (at for at in reversed(meets) if at <= begin)
    return next((at for at in before if kind.length(Part(spool, 0, at)) is not None), 0)


def _positions(part: Part, mark: bytes) -> Iterator[int]:
    """All positions of `mark`, in which a dot matches any byte."""
    pattern = re.compile(re.escape(mark).replace(rb"\.", b"."), re.DOTALL)
    part.seek(0)
    at, held = 0, b""
    while piece := part.read(_PIECE):
        held += piece
        yield from (at + match.start() for match in pattern.finditer(held))
        at, held = at + len(held) - len(mark) + 1, held[-len(mark) + 1 :]


def _parquet_footer(part: Part) -> int:
    """The footer's length in bytes; 0 if there is none."""
    part.seek(max(0, part.size - _TAIL))
    tail = part.read()
    size = int.from_bytes(tail[:4], "little")
    return size if tail[4:] == _PARQUET and size <= part.size - _TAIL else 0


def _parquet_length(part: Part) -> Optional[int]:
    footer = _parquet_footer(part)
    part.seek(part.size - _TAIL - footer)
    try:
        return extent(part.read(footer)) + footer + _TAIL if footer else None
    except ValueError:
        return None


def _orc_length(part: Part) -> Optional[int]:
    try:
        source = pa.PythonFile(part, "r")
        file = ORCFile(source)
        tail: int = file.stripe_statistics_length + file.file_footer_length + file.file_postscript_length + 1
        return content_end(file, source) + tail
    except (pa.ArrowException, OSError, ValueError, LookupError):
        return None


_PARQUET = b"PAR1"
_KINDS = {
    "parquet": _Kind(_PARQUET, b"PAR1PAR1", _parquet_length, _parquet_footer),
    "orc": _Kind(b"ORC", b"ORC.ORC", _orc_length, lambda _: 0),
}
