"""ZIP archives, read forwards as they arrive: entries are joined in the order in which they are stored.

Firehose writes one deflated entry. Nothing is kept in memory or on disk, which is why the directory at the end is not
consulted: it says nothing that an entry's own header and checksum do not say.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from spark_jobs.content.source import DamagedError, Source

_ENTRY, _DIRECTORY, _END, _LONG_END, _DESCRIPTOR = (
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x07\x08",
)
_HEADER = struct.Struct("<4s5H3I2H")
_ENCRYPTED, _SIZES_BEHIND, _UTF8 = 0x1, 0x8, 0x800
_STORED, _DEFLATED = 0, 8
_LONG = 0xFFFFFFFF  # the size stands in an extra field of this kind:
_LONG_SIZES = 1
_PIECE = 1 << 20

Inflate = Callable[[Source, int, str], Iterator[bytes]]


class _Entry(NamedTuple):
    name: str
    flags: int
    method: int
    checksum: int
    packed: int  # bytes, if they are known beforehand

    @property
    def sizes_behind(self) -> bool:
        return bool(self.flags & _SIZES_BEHIND)


def entries(source: Source, inflate: Inflate, packing: Callable[[bytes], str]) -> Iterator[bytes]:
    """The content of all entries; a line break goes between two where the first does not end with one.

    `DamagedError` for an entry that is encrypted, packed with an unknown method, or itself an archive.
    """
    last = b"\n"
    while source.peek(4) == _ENTRY:
        entry = _entry(source)
        if last != b"\n":
            yield b"\n"
            last = b"\n"
        for piece in _checked(source, entry, _content(source, entry, inflate), packing):
            yield piece
            last = piece[-1:]
    if not source.peek(1):
        raise DamagedError(f"zip truncated at byte {source.position}")
    if source.peek(4) not in (_DIRECTORY, _END, _LONG_END):
        raise DamagedError(f"no zip from byte {source.position} on")


def _entry(source: Source) -> _Entry:
    fields = _HEADER.unpack(source.exactly(_HEADER.size, "zip"))
    _, _, flags, method, _, _, checksum, packed, size, name_length, extra_length = fields
    name = source.exactly(name_length, "zip").decode("utf-8" if flags & _UTF8 else "cp437", "backslashreplace")
    extra = source.exactly(extra_length, "zip")
    if packed == _LONG:
        packed = _long_size(extra, behind=size == _LONG)
    if flags & _ENCRYPTED:
        raise DamagedError(f"zip entry {name} is encrypted")
    if method not in (_STORED, _DEFLATED):
        raise DamagedError(f"zip entry {name}: expected method 0 or 8, found {method}")
    if method == _STORED and flags & _SIZES_BEHIND and not name.endswith("/"):
        raise DamagedError(f"zip entry {name}: stored without a size")
    return _Entry(name, flags, method, checksum, packed)


def _long_size(extra: bytes, *, behind: bool) -> int:
    """The packed size in the extra field for long entries, where it stands behind the unpacked one if that is long."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _LONG_SIZES and length >= 8 + 8 * behind:
            return int(struct.unpack_from("<Q", extra, 4 + 8 * behind)[0])
        extra = extra[4 + length :]
    return _LONG


def _content(source: Source, entry: _Entry, inflate: Inflate) -> Iterator[bytes]:
    if entry.method == _DEFLATED:
        yield from inflate(source, -zlib.MAX_WBITS, "zip")
        return
    left = entry.packed
    while left:
        piece = source.take(min(left, _PIECE))
        if not piece:
            raise DamagedError(f"zip truncated at byte {source.position}")
        left -= len(piece)
        yield piece


def _checked(
    source: Source, entry: _Entry, content: Iterator[bytes], packing: Callable[[bytes], str]
) -> Iterator[bytes]:
    """The entry's content, up to its descriptor and the comparison of its checksum."""
    found, begun = 0, False
    for piece in content:
        if piece and not begun:
            begun = True
            if packing(piece):
                raise DamagedError(f"zip entry {entry.name} is itself packed: {packing(piece)}")
        if piece:
            found = zlib.crc32(piece, found)
            yield piece
    expected = _described(source) if entry.sizes_behind else entry.checksum
    if found != expected:
        raise DamagedError(f"zip entry {entry.name}: expected the checksum {expected:08x}, found {found:08x}")


def _described(source: Source) -> int:
    """The checksum behind an entry; a mark may precede it, and two sizes follow, of four or eight bytes."""
    if source.peek(4) == _DESCRIPTOR:
        source.exactly(4, "zip")
    checksum = int.from_bytes(source.exactly(4, "zip"), "little")
    long = source.peek(10)[8:] != b"PK"
    source.exactly(16 if long else 8, "zip")
    return checksum
