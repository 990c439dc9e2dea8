"""Snappy as it is found in S3: the framing format, xerial's stream (Firehose's "Snappy"), Hadoop's blocks (Firehose's
"HADOOP_SNAPPY"), and a single raw block. Chunks are unpacked one at a time; checksums of the framing format, beyond
which raw Snappy checks its own lengths, are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Optional

import pyarrow as pa

from spark_jobs.engine.decompression.source import DamagedError, Source

FRAMED = b"\xff\x06\x00\x00sNaPpY"
XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER = len(XERIAL) + 8  # two versions, of four bytes each
CHUNK_MAX = 64 << 20  # writers make chunks of 32 to 256 KB; a greater length is damage, not a reason to take memory
_COMPRESSED, _PLAIN, _IDENTIFIER, _SKIPPABLE = 0x00, 0x01, 0xFF, 0x80
_CHECKSUM = 4
#: No text holds these, or begins a character with a byte that only continues one.
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x7f]|(?:^|[\x00-\x7f])[\x80-\xbf]|[\xc0-\xff](?![\x80-\xbf])", re.DOTALL)


def framed(source: Source) -> Iterator[bytes]:
    """Chunks of the framing format: kind, length in three bytes, little-endian, and data."""
    while source.peek(1):
        at, head = source.position, source.exactly(4, "snappy")
        kind, data = head[0], source.exactly(int.from_bytes(head[1:], "little"), "snappy")
        if kind == _COMPRESSED:
            yield unpacked(data[_CHECKSUM:], at)
        elif kind == _PLAIN:
            yield data[_CHECKSUM:]
        elif kind < _SKIPPABLE or (kind == _IDENTIFIER and head + data != FRAMED):
            raise DamagedError(f"snappy corrupt near byte {at}: unknown chunk")


def xerial(source: Source) -> Iterator[bytes]:
    """Chunks with their length in four bytes, big-endian, behind a header; streams may follow one another."""
    while source.peek(1):
        if source.peek(len(XERIAL)) == XERIAL:
            source.exactly(_XERIAL_HEADER, "snappy")
        else:
            yield _chunk(source)


def is_hadoop(head: bytes) -> bool:
    """Whether content begins as Hadoop's blocks do, which have no mark but lengths that agree."""
    if len(head) < 10:
        return head == bytes(4)  # nothing, packed
    block, chunk, declared = _length(head), _length(head[4:]), _declared(head[8:])
    if declared is None:
        return False
    size, varint = declared
    literal = head[8 + varint : 9 + varint]
    return 0 < size <= block <= CHUNK_MAX and 2 < chunk <= _packed_max(size) and bool(literal) and not literal[0] & 3


def hadoop(source: Source) -> Iterator[bytes]:
    """Blocks with their unpacked length, each of chunks with their packed length; all in four bytes, big-endian."""
    while source.peek(1):
        at, left = source.position, _length(source.exactly(4, "snappy"))
        while left > 0:
            piece = _chunk(source)
            left -= len(piece)
            yield piece
        if left < 0:
            raise DamagedError(f"snappy corrupt near byte {at}: a block longer than it says")


def whole_block(source: Source) -> Optional[bytes]:
    """The content, if it is one raw block of at most `CHUNK_MAX` bytes; None when it may be anything else.

    A raw block has no mark: it is taken for one if it is no text, and unpacks to exactly the length that it says.
    """
    head = source.peek(64)
    declared = _declared(head) if _NO_TEXT.search(head[:-3] or head) else None
    if declared is None or not 0 < declared[0] <= CHUNK_MAX:
        return None
    longest = _packed_max(declared[0])
    body = source.peek(longest + 1)
    if len(body) > longest:
        return None
    try:
        return unpacked(body, 0)
    except DamagedError:
        return None


def _chunk(source: Source) -> bytes:
    at, size = source.position, _length(source.exactly(4, "snappy"))
    if size > CHUNK_MAX:
        raise DamagedError(f"snappy corrupt near byte {at}: a chunk of {size} bytes")
    return unpacked(source.exactly(size, "snappy"), at)


def unpacked(data: bytes, at: int) -> bytes:
    """What is in one raw block, which stands at this byte of the file."""
    declared = _declared(data)
    if declared is None or declared[0] > CHUNK_MAX:
        raise DamagedError(f"snappy corrupt near byte {at}: no raw block")
    if not declared[0]:
        return b""
    try:
        plain: bytes = pa.Codec("snappy").decompress(data, declared[0], asbytes=True)
    except OSError:
        raise DamagedError(f"snappy corrupt near byte {at}: no raw block") from None
    return plain


def _declared(data: bytes) -> Optional[tuple[int, int]]:
    """The unpacked length with which a raw block begins, seven bits in a byte, and how many bytes that takes."""
    size = 0
    for at, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << 7 * at
        if byte < 0x80:
            return size, at + 1
    return None


def _length(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")


def _packed_max(size: int) -> int:
    """As the format's own library bounds it."""
    return 32 + size + size // 6
