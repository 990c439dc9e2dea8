"""Decodes a file's bytes to text and computes the size of text in bytes; undecodable bytes become surrogates."""

from __future__ import annotations

import codecs
import re
from typing import Union

_BYTE_0 = 0xDC00  # byte b becomes the surrogate with this number plus b, as in `surrogateescape`, but from 0x00 on
#: Undecodable bytes in a text that was decoded here.
NO_TEXT = re.compile("[\udc00-\udcff]")
_HANDLER = "tidemark.bytes"
#: Byte order marks, which override the declaration. Longer ones come first, because shorter ones are their prefixes.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Encodings whose codecs write a mark before every piece; without a mark, little-endian (as on Windows) is assumed.
_MARKED = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def _bytes_shown(error: UnicodeError) -> tuple[Union[str, bytes], int]:
    """An error handler for codecs: replaces undecodable bytes by surrogates."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_BYTE_0 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_HANDLER, _bytes_shown)


def next_encoding(before: str, head: bytes, declared: str) -> str:
    """The encoding of a text with the bytes `head`, after a text in the encoding `before` (empty for the first text).

    A byte order mark decides. Without one, the encoding stays the same, unless it is impossible: UTF-16 or UTF-32 is
    impossible for ASCII bytes without zero bytes. Then the declared encoding applies.
    """
    if not before or _marked(head):
        return _marked(head) or _plain(declared)
    cannot_be = before.startswith(("utf-16", "utf-32")) and b"\0" not in head and head.isascii()
    return _plain(declared) if cannot_be else before


def _marked(head: bytes) -> str:
    """The encoding according to a byte order mark; empty without one."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "")


def _plain(declared: str) -> str:
    return _MARKED.get(declared, declared)


class Decoding:
    """Decodes one file block by block, in the encoding of its byte order mark or else the declared one."""

    def __init__(self, head: bytes, declared: str) -> None:
        self.name = _marked(head) or _plain(declared)
        self._decoder = codecs.getincrementaldecoder(self.name)(_HANDLER)
        self._ascii = "a\n".encode(self.name) == b"a\n"

    def text(self, block: bytes, *, final: bool) -> str:
        """The next block's text; an incomplete character at its end is completed by the next block."""
        return self._decoder.decode(block, final)

    def size(self, text: str) -> int:
        """The number of the file's bytes that a decoded text came from."""
        if self._ascii and text.isascii():
            return len(text)
        text, shown = NO_TEXT.subn("", text)
        return len(text.encode(self.name)) + shown


def readable(text: str) -> str:
    """The text in readable form, with undecodable bytes as hexadecimal escapes."""
    return NO_TEXT.sub(lambda match: f"\\x{ord(match[0]) - _BYTE_0:02x}", text)


def on_one_line(text: str) -> str:
    """Untrusted text with everything non-printable escaped: line breaks, control characters, surrogates."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
