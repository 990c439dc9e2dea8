"""Streams ZIP archives entry by entry, in the order in which they are stored.

Firehose writes archives with one deflated entry. The archive is not held in memory or on disk, so the central directory
at the end cannot be used. It is skipped: an entry's own header and checksum suffice, and another archive may follow.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from spark_jobs.engine.decompression.decoding import on_one_line
from spark_jobs.engine.decompression.source import Content, DamagedError, Source, failing

_ENTRY, _DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
_HEADER = struct.Struct("<4s5H3I2H")
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800
_STORED, _DEFLATED = 0, 8
_LONG = 0xFFFFFFFF  # the actual size is in an extra field of the following kind (ZIP64)
_LONG_SIZES = 1
_NAME_MAX = 200  # characters of an entry's name that are kept
#: Records after the entries: signature → fixed size, and the struct format of the lengths of its variable fields.
_DIRECTORY = {
    b"PK\x01\x02": (46, "<28x3H12x"),
    b"PK\x05\x05": (6, "<4xH"),
    b"PK\x06\x06": (12, "<4xQ"),
    b"PK\x06\x07": (20, ""),
}
_END, _END_SIZE, _COUNT_AND_COMMENT = b"PK\x05\x06", 22, "<10xH8xH"
_MANY = 0xFFFF  # or more entries: their number is in another record (ZIP64)
#: Metadata files that macOS adds, such as icons and window positions; they contain no records.
_BESIDE = re.compile(r"(?:^|/)__MACOSX/(?:.*/)?\._[^/]*$|(?:^|/)\.DS_Store$")

Inflate = Callable[[Source, int, str], Iterator[bytes]]


class _Entry(NamedTuple):
    name: str
    flags: int
    method: int
    checksum: int
    packed: int  # compressed size in bytes, unless it follows the content

    @property
    def sizes_follow(self) -> bool:
        return bool(self.flags & _SIZES_FOLLOW)

    @property
    def problem(self) -> str:
        """The reason why the entry cannot be unpacked; empty if it can."""
        if self.flags & _ENCRYPTED:
            return "encrypted"
        if self.method not in (_STORED, _DEFLATED):
            return f"expected method 0 or 8, found {self.method}"
        unsized = self.method == _STORED and self.sizes_follow and not self.name.endswith("/")
        return "stored without a size" if unsized else ""


def entries(source: Source, inflate: Inflate) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Each entry's name and content, to be read before the next; damage in an entry affects only that entry.

    The metadata files of macOS are skipped. Raises `DamagedError` for anything that is not a zip archive, and if the
    end of a damaged entry cannot be found.
    """
    while source.peek(1):
        _archive_begins(source)
        count = 0
        while source.peek(4) == _ENTRY:
            entry, count = _entry(source), count + 1
            content = Content(_content(source, entry, inflate))
            if not _BESIDE.search(entry.name):
                yield entry.name, content
            elif not content.passed():
                raise DamagedError(f"zip entry {entry.name}: {content.damage}")
            if not content.passed() and not source.peek(1):
                return
            if not content.passed() and entry.sizes_follow:
                raise DamagedError(f"zip: the end of the entry {entry.name} cannot be found")
        _skip_directory(source, count)
        source.skip(b"\0")


def _archive_begins(source: Source) -> None:
    if source.peek(4) not in (_ENTRY, _END):
        raise DamagedError(f"no zip from byte {source.position} on")


def _skip_directory(source: Source, count: int) -> None:
    """Skip the records after the entries; `DamagedError` if they list more than `count` entries."""
    while source.peek(4) in _DIRECTORY:
        size, lengths = _DIRECTORY[source.peek(4)]
        record = source.exactly(size, "zip")
        for _ in source.part(sum(struct.unpack_from(lengths, record)), "zip"):
            pass
    if len(source.peek(4)) < 4:
        raise DamagedError(f"zip truncated at byte {source.position + len(source.peek(4))}")
    if source.peek(4) != _END:
        raise DamagedError(f"no zip from byte {source.position} on")
    listed, comment = struct.unpack(_COUNT_AND_COMMENT, source.exactly(_END_SIZE, "zip"))
    source.exactly(comment, "zip")
    if count < listed < _MANY:
        raise DamagedError(f"zip: expected {listed} entries, found {count}")


def _entry(source: Source) -> _Entry:
    fields = _HEADER.unpack(source.exactly(_HEADER.size, "zip"))
    _, _, flags, method, _, _, checksum, packed, size, name_length, extra_length = fields
    name = source.exactly(name_length, "zip").decode("utf-8" if flags & _UTF8 else "cp437", "backslashreplace")
    extra = source.exactly(extra_length, "zip")
    if packed == _LONG:
        packed = _long_size(extra, after_size=size == _LONG)
    return _Entry(on_one_line(name)[:_NAME_MAX], flags, method, checksum, packed)


def _long_size(extra: bytes, *, after_size: bool) -> int:
    """The compressed size in the ZIP64 extra field, where it may be stored `after_size`, the uncompressed one."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _LONG_SIZES and length >= 8 + 8 * after_size:
            return int(struct.unpack_from("<Q", extra, 4 + 8 * after_size)[0])
        extra = extra[4 + length :]
    return _LONG


def _content(source: Source, entry: _Entry, inflate: Inflate) -> Iterator[bytes]:
    """The entry's content; if it is damaged and its size is known, the source still skips to its end."""
    if entry.sizes_follow:
        yield from _described(source, entry, inflate)
        return
    packed = Content(source.part(entry.packed, "zip"))
    try:
        yield from _checked(entry, Source(packed, source.position), inflate)
    except DamagedError:
        packed.passed()
        raise


def _checked(entry: _Entry, packed: Source, inflate: Inflate) -> Iterator[bytes]:
    yield from _summed(_unpacked(packed, entry, inflate), lambda: entry.checksum)
    if packed.peek(1):
        raise DamagedError(f"zip: unexpected bytes at the end of the entry, from byte {packed.position} on")


def _described(source: Source, entry: _Entry, inflate: Inflate) -> Iterator[bytes]:
    yield from _summed(_unpacked(source, entry, inflate), lambda: _following_checksum(source))


def _unpacked(packed: Source, entry: _Entry, inflate: Inflate) -> Iterator[bytes]:
    if entry.problem:
        return failing(DamagedError(entry.problem))
    if entry.method == _DEFLATED:
        return inflate(packed, -zlib.MAX_WBITS, "zip")
    return iter(()) if entry.sizes_follow else packed.rest()


def _summed(pieces: Iterator[bytes], expected_sum: Callable[[], int]) -> Iterator[bytes]:
    """The pieces; afterwards, `DamagedError` if their checksum is not the expected one."""
    actual = 0
    for piece in pieces:
        actual = zlib.crc32(piece, actual)
        yield piece
    expected = expected_sum()
    if actual != expected:
        raise DamagedError(f"expected the checksum {expected:08x}, found {actual:08x}")


def _following_checksum(source: Source) -> int:
    """The checksum after an entry; a signature may precede it, and two sizes of four or eight bytes follow it."""
    if source.peek(4) == _DESCRIPTOR:
        source.exactly(4, "zip")
    checksum = int.from_bytes(source.exactly(4, "zip"), "little")
    long = source.peek(10)[8:] != b"PK"
    source.exactly(16 if long else 8, "zip")
    return checksum
