"""Packed bytes behind text, where files of both kinds were joined: no record goes on there.

Read as text they would be thousands of broken records, and now and then a row that nobody wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from spark_jobs.content.source import DamagedError

_CONTROL = rb"(?=.{0,60}[\x00-\x08\x0e-\x1f])"
#: How they begin, so closely that no text in any encoding does.
_KINDS = {
    "gzip": rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04]",
    "bzip2": rb"BZh[1-9]1AY&SY" + _CONTROL,
    "zstd": rb"\x28\xb5\x2f\xfd" + _CONTROL,
    "lz4": rb"\x04\x22\x4d\x18[\x40-\x7f][\x40-\x7f]",
    "snappy": rb"\xff\x06\x00\x00sNaPpY|\x82SNAPPY\x00",
    "a ZIP archive": rb"PK\x03\x04[\x0a-\x3f]\x00",
    "xz": rb"\xfd7zXZ\x00",
    "a Parquet file": rb"PAR1\x15[\x00-\x1f]",
    "an Avro file": rb"Obj\x01.{1,3}[\x0e-\x2e]avro\.",
}
_PACKED = re.compile(rb"|".join(b"(%s)" % pattern for pattern in _KINDS.values()), re.DOTALL)
#: Each kind has one of these, or is all but sure to have it soon; text has none, which is quickly seen.
_NO_TEXT = (b"\x01", b"\x04", b"\x15", b"\x1f")
_REACH = 80  # bytes tell a beginning


class Packed(NamedTuple):
    """What begins at a byte of a text."""

    at: int
    kind: str


def packed_in(data: bytes, start: int = 0) -> Optional[Packed]:
    """The first packed or binary content that begins in the text from there on; None where all is text."""
    if not any(byte in data for byte in _NO_TEXT):
        return None
    found = _PACKED.search(data, start)
    return Packed(found.start(), [*_KINDS][found.lastindex - 1]) if found and found.lastindex else None


def text_alone(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks up to what is packed; `DamagedError` behind them where something is.

    How the text itself begins is the affair of those who unpack.
    """
    position, tail = 0, b""
    for block in blocks:
        found = packed_in(tail + block, start=not position)
        if found:
            yield from filter(None, [block[: max(0, found.at - len(tail))]])
            raise DamagedError(f"{found.kind} from byte {position - len(tail) + found.at} on, behind text")
        yield block
        position, tail = position + len(block), block[-_REACH:]
