"""Finds the end of a zstd or lz4 frame without decompressing it, because another file may follow.

The layouts follow RFC 8878 and the LZ4 frame format; lengths are little-endian.
"""

from __future__ import annotations

from collections.abc import Iterator

from spark_jobs.engine.decompression.source import DamagedError, Source

ZSTD, LZ4 = b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"
_SKIPPABLE_END = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f
_RLE, _RESERVED = 1, 3  # block types of zstd


def is_skippable(head: bytes) -> bool:
    """Whether a skippable frame begins here; both formats have such frames without content."""
    return head[:1] in (b"%c" % byte for byte in range(0x50, 0x60)) and _SKIPPABLE_END.startswith(head[1:4])


def skipped(source: Source, kind: str) -> None:
    """Skip a frame without content."""
    size = _number(source.exactly(8, kind)[4:])
    for _ in source.part(size, kind):
        pass


def zstd(source: Source) -> Iterator[bytes]:
    """The bytes of one frame, still compressed."""
    head = source.exactly(5, "zstd")
    flags = head[4]
    single = bool(flags & 0x20)
    size_bytes = (int(single), 2, 4, 8)[flags >> 6]
    yield head + source.exactly((not single) + (0, 1, 2, 4)[flags & 3] + size_bytes, "zstd")
    last = False
    while not last:
        at, block = source.position, source.exactly(3, "zstd")
        number = _number(block)
        last, type_ = bool(number & 1), number >> 1 & 3
        if type_ == _RESERVED:
            raise DamagedError(f"zstd corrupt near byte {at}: unknown block")
        yield block
        yield from source.part(1 if type_ == _RLE else number >> 3, "zstd")
    yield source.exactly(4 if flags & 0x04 else 0, "zstd")


def lz4(source: Source) -> Iterator[bytes]:
    """The bytes of one frame, still compressed."""
    head = source.exactly(6, "lz4")
    flags = head[4]
    yield head + source.exactly(1 + 8 * bool(flags & 0x08) + 4 * bool(flags & 0x01), "lz4")
    while True:
        block = source.exactly(4, "lz4")
        yield block
        size = _number(block) & 0x7FFFFFFF
        if not size:
            break
        yield from source.part(size + 4 * bool(flags & 0x10), "lz4")
    yield source.exactly(4 if flags & 0x04 else 0, "lz4")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
