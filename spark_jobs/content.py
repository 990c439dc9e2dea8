"""From an object's bytes to blocks of UTF-8 text: compression told by content, never by name.

Whatever can be read is given out before damage is reported, so a truncated file costs its torn end alone.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterable, Iterator

GZIP = b"\x1f\x8b"
#: Decompressed bytes per block: large enough for the vectorised parser, small enough to scan when one record is bad.
BLOCK = 1 << 20
_FEED = 1 << 16  # compressed bytes per call, so that one call's output stays near a block

#: How files begin that hold no JSON, whatever their name says.
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PAR1", "a Parquet file"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ", "xz"),
    (b"\x82SNAPPY", "Snappy"),
    (b"\xff\x06\x00\x00sNaPpY", "Snappy"),
)


class DamagedError(Exception):
    """The rest of the content cannot be read; the text says what is wrong and where."""


def foreign(head: bytes) -> str:
    """What the content is when it cannot be JSON, such as "a ZIP archive"; else nothing."""
    return next((name for magic, name in _FOREIGN if head.startswith(magic)), "")


def blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Content as UTF-8 in blocks of about `BLOCK` bytes; `DamagedError` after all that could be read."""
    first, rest = _first(parts)
    plain = _inflated(first, rest) if first.startswith(GZIP) else _rest_of(first, rest)
    return _utf8(_sized(plain))


def _first(parts: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Enough of the beginning to tell what it is, and the parts behind it."""
    rest, head = iter(parts), b""
    for part in rest:
        head += part
        if len(head) >= 16:
            break
    return head, rest


def _rest_of(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _sized(plain: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of about `BLOCK`; what was read before damage goes out before it."""
    held: list[bytes] = []
    size = 0
    try:
        for piece in plain:
            for start in range(0, len(piece), BLOCK):
                part = piece[start : start + BLOCK]
                held.append(part)
                size += len(part)
                if size >= BLOCK:
                    yield b"".join(held)
                    held, size = [], 0
    except DamagedError:
        if size:
            yield b"".join(held)
        raise
    if size:
        yield b"".join(held)


def _inflated(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """All members of a gzip stream, one behind the other; zeros between and behind them are padding."""
    inflate, position = zlib.decompressobj(31), 0  # position: compressed bytes consumed
    for part in _rest_of(first, rest):
        data = part
        while data:
            if inflate.eof:
                padding = len(data) - len(data.lstrip(b"\0"))
                data, position = data[padding:], position + padding
                if not data:
                    break
                if not data.startswith(GZIP[: len(data)]):
                    raise DamagedError(f"no gzip from byte {position} on")
                inflate = zlib.decompressobj(31)
            fed, before = data[:_FEED], inflate.copy()
            try:
                yield inflate.decompress(fed)
            except zlib.error as error:
                yield from _up_to_damage(before, fed)
                raise DamagedError(f"gzip corrupt near byte {position}: {error}") from None
            used = len(fed) - len(inflate.unused_data)
            data, position = data[used:], position + used
    if not inflate.eof:
        yield inflate.flush()
        raise DamagedError(f"gzip truncated at byte {position}")


def _up_to_damage(inflate: zlib._Decompress, fed: bytes) -> Iterator[bytes]:
    """What comes out before the decompressor fails: a failing call gives nothing, so it is fed byte by byte."""
    try:
        for at in range(len(fed)):
            yield inflate.decompress(fed[at : at + 1])
    except zlib.error:
        return


def _utf8(plain: Iterator[bytes]) -> Iterator[bytes]:
    """UTF-16 becomes UTF-8; anything else is left as it is."""
    first = next(plain, b"")
    name = _utf16(first[:4])
    if not name:
        yield from _rest_of(first, plain)
        return
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    for block in _rest_of(first, plain):
        yield decoder.decode(block).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode()


def _utf16(head: bytes) -> str:
    """The name of the UTF-16 variant, told by its byte order mark or by the zero beside the first bracket."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head[:2] in (b"{\0", b"[\0"):
        return "utf-16-le"
    return "utf-16-be" if head[:2] in (b"\0{", b"\0[") else ""
