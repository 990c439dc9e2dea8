"""The four Snappy formats that occur in S3, decompressed one chunk at a time.

They are the framing format, xerial's stream (Firehose's "Snappy"), Hadoop's blocks (Firehose's "HADOOP_SNAPPY") and a
single raw block. The framing format's checksums are not verified; raw Snappy itself verifies lengths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Optional

import pyarrow as pa

from spark_jobs.engine.decompression.source import DamagedError, Source

FRAMED = b"\xff\x06\x00\x00sNaPpY"
XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER = len(XERIAL) + 8  # followed by two version numbers of four bytes each
CHUNK_MAX = 64 << 20  # writers make chunks of 32 to 256 KB, so a longer one is damage; this limit bounds the memory
_COMPRESSED, _PLAIN, _IDENTIFIER, _SKIPPABLE = 0x00, 0x01, 0xFF, 0x80
_CHECKSUM = 4
#: Bytes that do not occur in UTF-8 text: control characters, and incomplete multi-byte sequences.
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x7f]|(?:^|[\x00-\x7f])[\x80-\xbf]|[\xc0-\xff](?![\x80-\xbf])", re.DOTALL)


def framed(source: Source) -> Iterator[bytes]:
    """Decompresses the framing format: chunks with a type, a length (three bytes, little-endian) and data."""
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
    """Decompresses xerial's format: a header, then chunks with a length (four bytes, big-endian); may be repeated."""
    while source.peek(1):
        if source.peek(len(XERIAL)) == XERIAL:
            source.exactly(_XERIAL_HEADER, "snappy")
        else:
            yield _chunk(source)


def is_hadoop(head: bytes) -> bool:
    """Whether content begins with a Hadoop block, which has no signature but consistent lengths."""
    if len(head) < 10:
        return head == bytes(4)  # empty content, compressed
    block, chunk, declared = _length(head), _length(head[4:]), _declared(head[8:])
    if declared is None:
        return False
    size, varint = declared
    literal = head[8 + varint : 9 + varint]
    return 0 < size <= block <= CHUNK_MAX and 2 < chunk <= _packed_max(size) and bool(literal) and not literal[0] & 3


def hadoop(source: Source) -> Iterator[bytes]:
    """Decompresses Hadoop's format: blocks with their decompressed length, made of chunks with their compressed length.

    All lengths have four bytes, big-endian.
    """
    while source.peek(1):
        at, left = source.position, _length(source.exactly(4, "snappy"))
        while left > 0:
            piece = _chunk(source)
            left -= len(piece)
            yield piece
        if left < 0:
            raise DamagedError(f"snappy corrupt near byte {at}: a block is longer than its declared length")


def whole_block(source: Source) -> Optional[bytes]:
    """The decompressed content, if it is one raw block of at most `CHUNK_MAX` bytes, else None.

    A raw block has no signature; content counts as one if it is not text and decompresses to its declared length.
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
    """The content of one raw block; `at` is its position in the file, for errors."""
    declared = _declared(data)
    if declared is None or declared[0] > CHUNK_MAX:
        raise DamagedError(f"snappy corrupt near byte {at}: not a raw block")
    if not declared[0]:
        return b""
    try:
        plain: bytes = pa.Codec("snappy").decompress(data, declared[0], asbytes=True)
    except OSError:
        raise DamagedError(f"snappy corrupt near byte {at}: not a raw block") from None
    return plain


def _declared(data: bytes) -> Optional[tuple[int, int]]:
    """The decompressed length at the start of a raw block (a varint), and the number of bytes that it takes."""
    size = 0
    for at, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << 7 * at
        if byte < 0x80:
            return size, at + 1
    return None


def _length(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")


def _packed_max(size: int) -> int:
    """The maximum compressed size, as in Snappy's MaxCompressedLength."""
    return 32 + size + size // 6
