"""What an object's bytes are packed with is told by the bytes, never by a name; they are unpacked piece by piece.

No more than about 64 MB of a file is in memory at once, however much it unpacks to. Whatever can be read is given out
before damage is reported, so a truncated file costs its torn end alone.
"""

from __future__ import annotations

import bz2
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Optional

import pyarrow as pa

from spark_jobs.content import snappy, zipped
from spark_jobs.content.source import DamagedError, Source

_FEED = 1 << 16  # compressed bytes per call of zlib, which gives out a thousand times as many at most
_PIECE = 1 << 20
_HEAD = 32
_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
#: Bytes per call of bz2: a failing call gives nothing, so it should not have much to give.
_DROP = 256

Unpack = Callable[[Source], Iterator[bytes]]


def plain(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The content in pieces of any size; `DamagedError` after all that could be read."""
    source = Source(parts)
    _, unpack = _packing(source.peek(_HEAD)) or ("", None)
    if unpack:
        yield from unpack(source)
        return
    block = snappy.whole_block(source)
    if block is not None:
        yield block
        return
    yield from source.rest()


def packing(head: bytes) -> str:
    """With what content that begins so is packed, such as "gzip"; nothing when it is not."""
    found = _packing(head)
    return found[0] if found else ""


def _packing(head: bytes) -> Optional[tuple[str, Unpack]]:
    return next(((name, unpack) for name, begins, unpack in _PACKINGS if begins(head)), None)


def _gzip(source: Source) -> Iterator[bytes]:
    """All members of a gzip stream, one behind the other; zeros between and behind them are padding."""
    while source.peek(1):
        if not _GZIP.startswith(source.peek(2)):
            raise DamagedError(f"no gzip from byte {source.position} on")
        yield from inflated(source, 31, "gzip")
        source.skip(b"\0")


def _bzip2(source: Source) -> Iterator[bytes]:
    """All streams of a bzip2 file, one behind the other."""
    while source.peek(1):
        if not _BZIP2.startswith(source.peek(3)):
            raise DamagedError(f"no bzip2 from byte {source.position} on")
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


def _zip(source: Source) -> Iterator[bytes]:
    return zipped.entries(source, inflated, packing)


def inflated(source: Source, window: int, kind: str) -> Iterator[bytes]:
    """One deflated stream with zlib's kind of `window`; what follows it stays in the source."""
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
    """What comes out before the decompressor fails: a failing call gives nothing, so it is fed byte by byte."""
    try:
        for at in range(len(fed)):
            yield inflate.decompress(fed[at : at + 1])
    except zlib.error:
        return


def _by_arrow(codec: str) -> Unpack:
    """All streams or frames, one behind the other, of a codec that pyarrow has."""

    def unpack(source: Source) -> Iterator[bytes]:
        stream = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), codec)
        # A call that fails does not say what it has read, but that stands in its buffer before the filling, a byte
        # that no UTF-8 has.
        filling = b"\xff" * _PIECE
        buffer = bytearray(filling)
        while True:
            buffer[:] = filling
            try:
                count = stream.readinto(buffer)
            except (OSError, pa.ArrowException) as error:
                if source.failed:
                    raise
                yield bytes(buffer).rstrip(b"\xff")
                damage = "truncated at" if str(error).startswith("Truncated") else "corrupt near"
                raise DamagedError(f"{codec} {damage} byte {source.position}") from None
            if not count:
                return
            yield bytes(buffer[:count])

    return unpack


def _like(pattern: bytes) -> Callable[[bytes], bool]:
    return lambda head: re.match(pattern, head, re.DOTALL) is not None


#: Name, whether content begins so, and how it is unpacked. Beginnings are as long as is needed not to meet text.
_PACKINGS: tuple[tuple[str, Callable[[bytes], bool], Unpack], ...] = (
    ("gzip", _like(_GZIP), _gzip),
    ("bzip2", _like(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), _bzip2),
    # A frame may be preceded by one to be skipped.
    ("zstd", _like(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _by_arrow("zstd")),
    ("lz4", _like(rb"\x04\x22\x4d\x18"), _by_arrow("lz4")),
    ("zip", _like(rb"PK(?:\x03\x04|\x05\x06)"), _zip),
    ("snappy", _like(re.escape(snappy.FRAMED)), snappy.framed),
    ("snappy", _like(re.escape(snappy.XERIAL)), snappy.xerial),
    ("snappy", snappy.is_hadoop, snappy.hadoop),
)
