"""The files within an object: the entries of an archive and files that were concatenated, unpacked at all depths.

A zip entry is a file. A compressed stream whose text encoding differs from that of the previous stream is a file, too;
any other stream continues the previous one, because writers split streams at arbitrary positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple, Optional

from spark_jobs.engine.decompression import compression, zipped
from spark_jobs.engine.decompression.compression import inflated
from spark_jobs.engine.decompression.decoding import next_encoding
from spark_jobs.engine.decompression.source import Content, DamagedError, Source, failing

#: Maximum bytes to which one object may unpack, summed over all depths; the rest is not read and becomes its problem.
UNPACKED_MAX = 32 << 30
#: Maximum nesting of compression: a gzip within a zip within a gzip is three.
DEPTH_MAX = 4


class Member(NamedTuple):
    """A file within an object; it must be read before the next one."""

    name: str  # of the entry and its enclosing entries, joined by "!"; empty for the object itself
    parts: Iterator[bytes]  # of its content; `DamagedError` after the last readable byte


def members(parts: Iterable[bytes], encoding: Optional[str] = None) -> Iterator[Member]:
    """The object's files, at least one. `encoding` applies to text without a byte order mark; None for binary formats.

    Damage to the container itself is reported as that of a member without content.
    """
    return _Unpacking(encoding).members("", Source(parts), 0)


class _Unpacking:
    """The unpacking of one object, and the bytes that it may still unpack to."""

    def __init__(self, encoding: Optional[str]) -> None:
        self._encoding = encoding
        self._left = UNPACKED_MAX

    def members(self, name: str, source: Source, depth: int) -> Iterator[Member]:
        """The files in the source, which is called `name` and is nested in `depth` containers."""
        try:
            inner = self._inner(source, depth)
            if inner is None:
                yield Member(name, source.rest())
                return
            empty = True
            for inner_name, content in inner:
                empty, counted = False, Content(self._counted(content))
                yield from self.members(_joined(name, inner_name), Source(counted), depth + 1)
                counted.passed()
                if self._left < 0:
                    return
            if empty:
                yield Member(name, iter(()))
        except DamagedError as error:
            yield Member(name, failing(error))

    def _inner(self, source: Source, depth: int) -> Optional[Iterator[tuple[str, Iterable[bytes]]]]:
        """Name and content of the entries or streams packed in the source; None if it is not compressed."""
        kind = compression.packing(source.peek(compression.HEAD))
        if kind and depth == DEPTH_MAX:
            raise DamagedError(f"packed more than {DEPTH_MAX} times")
        if kind == compression.ZIP:
            return zipped.entries(source, inflated)
        streams = compression.streams(source)
        return None if streams is None else self._files(streams)

    def _files(self, streams: Iterator[Content]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The files made up of the streams: consecutive streams in the same encoding are one file."""
        if self._encoding is None:
            yield "", (piece for stream in streams for piece in stream)
            return
        files = groupby(_with_encoding(streams, self._encoding), key=lambda one: one[0])
        for number, (_, group) in enumerate(files, 1):
            yield f"stream {number}" if number > 1 else "", (piece for _, stream in group for piece in stream)

    def _counted(self, content: Iterable[bytes]) -> Iterator[bytes]:
        for piece in content:
            self._left -= len(piece)
            if self._left < 0:
                raise DamagedError(f"unpacks to more than {UNPACKED_MAX} bytes")
            yield piece


def _with_encoding(streams: Iterator[Content], declared: str) -> Iterator[tuple[tuple[int, str], Iterator[bytes]]]:
    """The streams' content, each with a file number (which increases when the encoding changes) and the encoding."""
    encoding, number = "", 0
    for stream in streams:
        source = Source(stream)
        head = source.peek(_HEAD)
        if head:
            following = next_encoding(encoding, head, declared)
            number, encoding = number + (following != encoding), following
        yield (number, encoding), source.rest()


_HEAD = 64  # bytes that identify a text's encoding


def _joined(outer: str, inner: str) -> str:
    return "!".join(filter(None, (outer, inner)))
