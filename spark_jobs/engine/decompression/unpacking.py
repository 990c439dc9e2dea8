"""The files within an object: what an archive holds, and what was joined, each with its own content.

An entry of a zip is a file. So is a stream in another encoding than the one before it; any other stream of gzip and its
like goes on where the last one ended, since writers cut them anywhere. What is packed within is unpacked as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple, Optional

from spark_jobs.engine.decompression import compression, zipped
from spark_jobs.engine.decompression.compression import inflated
from spark_jobs.engine.decompression.decoding import encoding_behind
from spark_jobs.engine.decompression.source import Content, DamagedError, Source, failing

#: Bytes to which one object may unpack, at all depths together; what is beyond is left unread, and a problem of it.
UNPACKED_MAX = 32 << 30
#: How often content may be packed: a gzip within a zip within a gzip is three times.
DEPTH_MAX = 4


class Member(NamedTuple):
    """A file within an object; to be read before the next one is asked for."""

    name: str  # of the entry, and of those around it; empty for what is the object itself
    parts: Iterator[bytes]  # of its content; `DamagedError` after all that could be read


def members(parts: Iterable[bytes], encoding: Optional[str] = None) -> Iterator[Member]:
    """At least one. `encoding` is the text's, if it says nothing itself; None for what is no text.

    What is wrong with the container, not with a member, is the damage of a member without content.
    """
    return _Unpacking(encoding).members("", Source(parts), 0)


class _Unpacking:
    """One object on its way, and how much of it was unpacked."""

    def __init__(self, encoding: Optional[str]) -> None:
        self._encoding = encoding
        self._left = UNPACKED_MAX

    def members(self, name: str, source: Source, depth: int) -> Iterator[Member]:
        """What the source holds, which stands within so many containers, by that name."""
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
        """The name and the content of all that is packed here; None when nothing is."""
        kind = compression.packing(source.peek(compression.HEAD))
        if kind and depth == DEPTH_MAX:
            raise DamagedError(f"packed more than {DEPTH_MAX} times")
        if kind == compression.ZIP:
            return zipped.entries(source, inflated)
        streams = compression.streams(source)
        return None if streams is None else self._files(streams)

    def _files(self, streams: Iterator[Content]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The streams, those that are one file together."""
        if self._encoding is None:
            yield "", (piece for stream in streams for piece in stream)
            return
        told = groupby(_with_encoding(streams, self._encoding), key=lambda one: one[0])
        for number, (_, group) in enumerate(told, 1):
            yield f"stream {number}" if number > 1 else "", (piece for _, stream in group for piece in stream)

    def _counted(self, content: Iterable[bytes]) -> Iterator[bytes]:
        for piece in content:
            self._left -= len(piece)
            if self._left < 0:
                raise DamagedError(f"unpacks to more than {UNPACKED_MAX} bytes")
            yield piece


def _with_encoding(streams: Iterator[Content], declared: str) -> Iterator[tuple[tuple[int, str], Iterator[bytes]]]:
    """The streams' content, each with a number that is another where the encoding changes."""
    encoding, number = "", 0
    for stream in streams:
        source = Source(stream)
        head = source.peek(_HEAD)
        if head:
            told = encoding_behind(encoding, head, declared)
            number, encoding = number + (told != encoding), told
        yield (number, encoding), source.rest()


_HEAD = 64  # bytes tell a text's encoding


def _joined(outer: str, inner: str) -> str:
    return "!".join(filter(None, (outer, inner)))
