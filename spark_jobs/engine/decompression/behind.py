"""Packed bytes behind text, where files of both kinds were joined: no record goes on there.

Read as text they would be thousands of broken records, and now and then a row that nobody wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from spark_jobs.engine.decompression.source import DamagedError, told_apart

#: Every beginning has one of these, which text has not: so it is quickly seen that there is none.
_CONTROLS = tuple(bytes([number]) for number in (*range(0x09), *range(0x0E, 0x20)))
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
_REACH = 80  # bytes tell a beginning


class Packed(NamedTuple):
    """What begins at a byte of a text."""

    at: int
    kind: str


def packed_in(data: bytes, start: int = 0) -> Optional[Packed]:
    """The first packed or binary content that begins in the text from there on; None where all is text."""
    if not any(byte in data for byte in _CONTROLS):
        return None
    found = _PACKED.search(data, start)
    return Packed(found.start(), [*_KINDS][found.lastindex - 1]) if found and found.lastindex else None


def text_alone(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The text up to what is packed; `DamagedError` after it where something is.

    However the parts are cut, the answer is the same: the last bytes wait until all that tells a beginning is there.
    How the text itself begins is the affair of those who unpack.
    """
    position, data = 0, b""
    for part, is_last, problem in told_apart(iter(parts)):
        data += part
        known = len(data) if is_last else max(0, len(data) - _REACH)
        found = packed_in(data, start=not position)
        if found and found.at < known:
            yield data[: found.at]
            raise DamagedError(f"{found.kind} from byte {position + found.at} on, behind text")
        yield data[:known]
        position, data = position + known, data[known:]
        if problem:
            raise DamagedError(problem)
