"""Unpacks an object's bytes into its members and their content into blocks, as UTF-8 for JSON.

Also recognizes binary formats that are not text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from spark_jobs.engine.decompression.binary_after_text import text_before_binary
from spark_jobs.engine.decompression.source import DamagedError, with_last_flag
from spark_jobs.engine.decompression.unpacking import Member, members

__all__ = ["BLOCK", "HEAD", "DamagedError", "Member", "blocks", "foreign", "members", "plain_blocks", "with_last_flag"]

#: Decompressed bytes per block: large enough for the vectorised parser, small enough to scan for one bad record.
BLOCK = 1 << 20
HEAD = 512  # bytes that identify the kind of content

#: The first bytes of binary formats, which are recognized regardless of the file's name.
_FOREIGN = (
    (b"PAR1", "a Parquet file"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"\xfd7zXZ", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
)
_TAR_AT, _TAR = 257, b"ustar"
#: Control characters; text may begin with the same letters as a binary format, but has none of these.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


def foreign(head: bytes) -> str:
    """The binary format of content with these first bytes, such as "a Parquet file"; empty for text."""
    if not _CONTROL.search(head):
        return ""
    known = next((name for magic, name in _FOREIGN if head.startswith(magic)), "")
    return "a tar archive" if head.startswith(_TAR, _TAR_AT) else known


def plain_blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """A member's text in blocks of about `BLOCK` bytes; `DamagedError` after the last readable byte."""
    return _gathered(text_before_binary(parts))


def _gathered(parts: Iterable[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    try:
        for piece in parts:
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


def blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same as `plain_blocks`, converted to UTF-8."""
    return _utf8(plain_blocks(parts))


def _rest_of(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _utf8(plain: Iterator[bytes]) -> Iterator[bytes]:
    """Converts UTF-16 to UTF-8 and leaves all other text unchanged."""
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
    """The UTF-16 variant, recognized by a byte order mark or a zero byte next to the first bracket; else empty."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head[:2] in (b"{\0", b"[\0"):
        return "utf-16-le"
    return "utf-16-be" if head[:2] in (b"\0{", b"\0[") else ""
