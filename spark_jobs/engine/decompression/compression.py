"""Detects an object's compression from its bytes, never from its name, and decompresses it piece by piece.

At most about 64 MB of a file is in memory at once, regardless of its decompressed size. All readable content is yielded
before damage is reported, so a truncated file loses only its end.
"""

from __future__ import annotations

import bz2
import re
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, Optional

import pyarrow as pa

from spark_jobs.engine.decompression import frames, snappy
from spark_jobs.engine.decompression.source import Content, DamagedError, Source

_FEED = 1 << 16  # compressed bytes per call of zlib, whose output is at most about a thousand times as large
_PIECE = 1 << 20
HEAD = 32  # bytes that identify the compression
_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
#: Decompressed bytes per call of bz2, kept small because a failing call loses its output.
_DROP = 256
ZIP = "zip"

Unpack = Callable[[Source], Iterator[bytes]]
Begins = Callable[[bytes], bool]


class _Packing(NamedTuple):
    name: str
    begins: Begins  # at the start of the content; specific enough not to match text
    goes_on: Begins  # after a stream, where no text is expected and the next stream may be truncated
    unpack: Unpack  # one stream; a Snappy stream ends only with the content
    padding: bytes = b""  # allowed after a stream


def packing(head: bytes) -> str:
    """The compression of content with these first bytes, such as "gzip"; empty if it is not compressed."""
    if _is_zip(head):
        return ZIP
    packing_ = _packing(head)
    return packing_.name if packing_ else ""


def streams(source: Source) -> Optional[Iterator[Content]]:
    """The concatenated streams, each to be read before the next; None if the content is not compressed in streams.

    Raises `DamagedError` if a stream is followed by something else.
    """
    packing_ = _packing(source.peek(HEAD))
    if packing_:
        return _streams(source, packing_)
    block = snappy.whole_block(source)
    return None if block is None else iter([Content(iter([block]))])


def _packing(head: bytes) -> Optional[_Packing]:
    return next((one for one in _PACKINGS if one.begins(head)), None)


def _streams(source: Source, how: _Packing) -> Iterator[Content]:
    while source.peek(1):
        if not how.goes_on(source.peek(HEAD)):
            raise DamagedError(f"no {how.name} from byte {source.position} on")
        stream = Content(how.unpack(source))
        yield stream
        if not stream.passed():
            return
        if how.padding:
            source.skip(how.padding)


def _gzip(source: Source) -> Iterator[bytes]:
    return inflated(source, 31, "gzip")


def _bzip2(source: Source) -> Iterator[bytes]:
    unpack = bz2.BZ2Decompressor()
    while not unpack.eof:
        at, fed = source.position, source.take(_FEED) if unpack.needs_input else b""
        if unpack.needs_input and not fed:
            raise DamagedError(f"bzip2 truncated at byte {at}")
        try:
            yield unpack.decompress(fed, _DROP)
        except OSError:
            raise DamagedError(f"bzip2 corrupt near byte {at}") from None
    source.step_back(len(unpack.unused_data))


def inflated(source: Source, window: int, kind: str) -> Iterator[bytes]:
    """Decompresses one deflate stream (`window` is zlib's wbits); the bytes after it stay in the source."""
    inflate = zlib.decompressobj(window)
    while not inflate.eof:
        at, fed = source.position, source.take(_FEED)
        if not fed:
            yield inflate.flush()
            raise DamagedError(f"{kind} truncated at byte {at}")
        before = inflate.copy()
        try:
            yield inflate.decompress(fed)
        except zlib.error as error:
            yield from _up_to_damage(before, fed)
            raise DamagedError(f"{kind} corrupt near byte {at}: {error}") from None
        source.step_back(len(inflate.unused_data))


def _up_to_damage(inflate: zlib._Decompress, fed: bytes) -> Iterator[bytes]:
    """The output before the damage, decompressed byte by byte because a failing call loses its output."""
    try:
        for at in range(len(fed)):
            yield inflate.decompress(fed[at : at + 1])
    except zlib.error:
        return


def _by_arrow(codec: str, frame: Unpack) -> Unpack:
    """Decompresses frames with one of pyarrow's codecs; `frame` extracts the bytes of one frame."""

    def unpack(source: Source) -> Iterator[bytes]:
        if frames.is_skippable(source.peek(4)):
            frames.skipped(source, codec)
            return
        start = source.position
        packed = Source(frame(source), start)
        with pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), codec) as stream:
            yield from _read(stream, packed, codec)

    return unpack


def _read(stream: pa.NativeFile, packed: Source, codec: str) -> Iterator[bytes]:
    # A failing call does not report how much it has written to the buffer. The buffer is therefore filled with a byte
    # that never occurs in UTF-8: the output ends where this filling begins.
    filling = b"\xff" * _PIECE
    buffer = bytearray(filling)
    while True:
        buffer[:] = filling
        try:
            count = stream.readinto(buffer)
        except DamagedError:
            yield bytes(buffer).rstrip(b"\xff")
            raise
        except (OSError, pa.ArrowException):
            if packed.failed:
                raise
            yield bytes(buffer).rstrip(b"\xff")
            raise DamagedError(f"{codec} corrupt near byte {packed.position}") from None
        if not count:
            return
        yield bytes(buffer[:count])


def _like(pattern: bytes) -> Begins:
    return lambda head: re.match(pattern, head, re.DOTALL) is not None


def _torn(magic: bytes) -> Begins:
    return lambda head: magic.startswith(head[: len(magic)])


def _frame(magic: bytes) -> Begins:
    return lambda head: magic.startswith(head[: len(magic)]) or frames.is_skippable(head)


def _anything(_: bytes) -> bool:
    return True


_is_zip = _like(rb"PK(?:\x03\x04|\x05\x06)")

_PACKINGS = (
    _Packing("gzip", _like(_GZIP), _torn(_GZIP), _gzip, padding=b"\0"),
    _Packing("bzip2", _like(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), _torn(_BZIP2), _bzip2),
    # A skippable frame may precede the first frame.
    _Packing(
        "zstd",
        _like(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
        _frame(frames.ZSTD),
        _by_arrow("zstd", frames.zstd),
    ),
    _Packing("lz4", _like(rb"\x04\x22\x4d\x18"), _frame(frames.LZ4), _by_arrow("lz4", frames.lz4)),
    _Packing("snappy", _like(re.escape(snappy.FRAMED)), _anything, snappy.framed),
    _Packing("snappy", _like(re.escape(snappy.XERIAL)), _anything, snappy.xerial),
    _Packing("snappy", snappy.is_hadoop, _anything, snappy.hadoop),
)
