"""What an object's bytes are packed with is told by the bytes, never by a name; they are unpacked piece by piece.

No more than about 64 MB of a file is in memory at once, however much it unpacks to. Whatever can be read is given out
before damage is reported, so a truncated file costs its torn end alone.
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

_FEED = 1 << 16  # compressed bytes per call of zlib, which gives out a thousand times as many at most
_PIECE = 1 << 20
HEAD = 32  # bytes tell the packing
_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
#: Bytes per call of bz2: a failing call gives nothing, so it should not have much to give.
_DROP = 256
ZIP = "zip"

Unpack = Callable[[Source], Iterator[bytes]]
Begins = Callable[[bytes], bool]


class _Packing(NamedTuple):
    name: str
    begins: Begins  # content; as long as is needed not to meet text
    goes_on: Begins  # behind a stream, where no text is expected and a torn one may stand
    unpack: Unpack  # one stream; those of Snappy have no end but the content's
    padding: bytes = b""  # may stand behind a stream


def packing(head: bytes) -> str:
    """With what content that begins so is packed, such as "gzip"; nothing when it is not."""
    if _is_zip(head):
        return ZIP
    found = _packing(head)
    return found.name if found else ""


def streams(source: Source) -> Optional[Iterator[Content]]:
    """The streams one behind the other, each to be read before the next; None when it is not packed in streams.

    `DamagedError` for what follows a stream and is none.
    """
    found = _packing(source.peek(HEAD))
    if found:
        return _streams(source, found)
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


def _by_arrow(codec: str, frame: Unpack) -> Unpack:
    """A frame of a codec that pyarrow has."""

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
    # A call that fails does not say what it has read, but that stands in its buffer before the filling, a byte
    # that no UTF-8 has.
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
    # A frame may be preceded by one to be skipped.
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
