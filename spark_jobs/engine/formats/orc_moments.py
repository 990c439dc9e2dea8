"""Reads from an ORC file's footer what pyarrow does not expose: the range of timestamps, and the file's extent.

pyarrow reads ORC timestamps as nanoseconds, which end in the year 2262, and would misread later ones. The footer
consists of protocol buffers (https://orc.apache.org/specification); this module parses only what it needs.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Union

import pyarrow as pa
from pyarrow.orc import ORCFile

from spark_jobs.engine.decompression import snappy
from spark_jobs.engine.formats.varints import signed, varint

#: The largest distance from 1970, in milliseconds, that 64-bit nanoseconds can represent.
MILLISECONDS_MAX = (1 << 63) // 1_000_000
_STRIPES, _STATISTICS, _OF_TIMESTAMPS = 3, 7, 9  # fields of the footer, and of a column's statistics
_STRIPE = (1, 2, 3, 4)  # fields of a stripe: its offset and the lengths of its three parts
_HEAD = 3  # bytes of the header
_ORIGINAL = 1


def beyond_nanoseconds(file: ORCFile, source: pa.NativeFile) -> bool:
    """Whether the footer's statistics, which are optional, include a timestamp that nanoseconds cannot represent."""
    if "timestamp" not in str(file.schema):
        return False
    return any(
        abs(signed(bound)) >= MILLISECONDS_MAX
        for statistics in _parts(_footer(file, source), _STATISTICS)
        for of_timestamps in _parts(statistics, _OF_TIMESTAMPS)
        for _, bound in _fields(of_timestamps)
        if isinstance(bound, int)
    )


def content_end(file: ORCFile, source: pa.NativeFile) -> int:
    """The position after the file's last stripe."""
    return max((_stripe_end(stripe) for stripe in _parts(_footer(file, source), _STRIPES)), default=_HEAD)


def _stripe_end(stripe: bytes) -> int:
    return sum(value for field, value in _fields(stripe) if field in _STRIPE and isinstance(value, int))


def _footer(file: ORCFile, source: pa.NativeFile) -> bytes:
    source.seek(source.size() - 1 - file.file_postscript_length - file.file_footer_length)
    return _unpacked(source.read(file.file_footer_length), str(file.compression), file.compression_size)


def _unpacked(data: bytes, codec: str, block: int) -> bytes:
    """Decompresses chunks, each with a three-byte header: its length, and whether it is uncompressed."""
    if codec == "UNCOMPRESSED":
        return data
    unpacked = []
    while data:
        head = int.from_bytes(data[:3], "little")
        chunk, data = data[3 : 3 + (head >> 1)], data[3 + (head >> 1) :]
        unpacked.append(chunk if head & _ORIGINAL else _chunk(chunk, codec, block))
    return b"".join(unpacked)


def _chunk(data: bytes, codec: str, block: int) -> bytes:
    if codec == "ZLIB":
        return zlib.decompressobj(-15).decompress(data, block)
    if codec == "ZSTD":
        return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(block))
    return snappy.unpacked(data, 0) if codec == "SNAPPY" else _lz4(data, block)


def _lz4(data: bytes, most: int) -> bytes:
    """Decompresses a raw block, whose length is not stored: finds the smallest sufficient one by binary search."""
    codec, least = pa.Codec("lz4_raw"), 1
    while least < most:
        middle = (least + most) // 2
        try:
            codec.decompress(data, middle)
            most = middle
        except OSError:
            least = middle + 1
    return bytes(codec.decompress(data, most, asbytes=True))


def _parts(message: bytes, number: int) -> Iterator[bytes]:
    return (value for field, value in _fields(message) if field == number and isinstance(value, bytes))


def _fields(message: bytes) -> Iterator[tuple[int, Union[int, bytes]]]:
    """The fields of a message: field number, and an integer or bytes."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(message, at)
            yield key >> 3, value
        else:
            size, at = varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            yield key >> 3, message[at : at + size]
            at += size
