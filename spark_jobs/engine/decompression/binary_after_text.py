"""Detects binary or compressed content after text, as in files that were concatenated.

Read as text, it would give thousands of malformed records and sometimes a spurious valid one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from spark_jobs.engine.decompression.source import DamagedError, with_last_flag

#: Each signature contains one of these bytes, which text does not; a text without them needs no further search.
_CONTROLS = tuple(bytes([number]) for number in (*range(0x09), *range(0x0E, 0x20)))
_CONTROL = rb"(?=.{0,60}[\x00-\x08\x0e-\x1f])"
#: Signatures at the start of each kind of content, specific enough not to match text in any encoding.
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
_REACH = 80  # bytes, at least the length of every signature


class Packed(NamedTuple):
    """The position and kind of binary content within a text."""

    at: int
    kind: str


def packed_in(data: bytes, start: int = 0) -> Optional[Packed]:
    """The first binary or compressed content that begins at `start` or later; None if all is text."""
    if not any(byte in data for byte in _CONTROLS):
        return None
    match = _PACKED.search(data, start)
    return Packed(match.start(), [*_KINDS][match.lastindex - 1]) if match and match.lastindex else None


def text_before_binary(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The text before any binary content; then `DamagedError` if there is some.

    The result does not depend on the boundaries of the parts: the last `_REACH` bytes are held back until a signature
    in them would be complete. The first byte is not checked, as content that begins there is for the unpacker.
    """
    position, data = 0, b""
    for part, is_last, problem in with_last_flag(iter(parts)):
        data += part
        known = len(data) if is_last else max(0, len(data) - _REACH)
        packed = packed_in(data, start=not position)
        if packed and packed.at < known:
            yield data[: packed.at]
            raise DamagedError(f"{packed.kind} from byte {position + packed.at} on, after text")
        yield data[:known]
        position, data = position + known, data[known:]
        if problem:
            raise DamagedError(problem)
