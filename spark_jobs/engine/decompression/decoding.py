"""From a file's bytes to text and back to their number; bytes that are no text stay visible as what no text has."""

from __future__ import annotations

import codecs
import re
from typing import Union

_BYTE_0 = 0xDC00  # the byte b is shown as the surrogate of this number plus b, as `surrogateescape` does from 0x80 on
#: Bytes that are no text, in a text that was decoded here.
NO_TEXT = re.compile("[\udc00-\udcff]")
_HANDLER = "tidemark.bytes"
#: A byte order mark says more than a declaration. The long ones come first, since a short one begins like them.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Encodings that would expect a mark, and write one before every piece: without a mark, Windows' order is meant.
_MARKED = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def _bytes_shown(error: UnicodeError) -> tuple[Union[str, bytes], int]:
    """Codecs call it with what they cannot decode."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_BYTE_0 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_HANDLER, _bytes_shown)


def encoding_behind(before: str, head: bytes, declared: str) -> str:
    """The encoding of a text that begins so behind one in the encoding `before`, which is empty for the first.

    A mark tells; without one the text goes on as before, unless what stands there cannot be of that encoding: text of
    two or four bytes a character that has no zero byte, where the declared encoding has one byte for a letter.
    """
    if not before or _told(head):
        return _told(head) or _plain(declared)
    cannot_be = before.startswith(("utf-16", "utf-32")) and b"\0" not in head and head.isascii()
    return _plain(declared) if cannot_be else before


def _told(head: bytes) -> str:
    """What a byte order mark says."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "")


def _plain(declared: str) -> str:
    return _MARKED.get(declared, declared)


class Decoding:
    """The encoding of one file, told by its first bytes or else as declared; text comes out block by block."""

    def __init__(self, head: bytes, declared: str) -> None:
        self.name = _told(head) or _plain(declared)
        self._decoder = codecs.getincrementaldecoder(self.name)(_HANDLER)
        self._ascii = "a\n".encode(self.name) == b"a\n"

    def text(self, block: bytes, *, final: bool) -> str:
        """The next block's text; the start of a character that the next block completes waits for it."""
        return self._decoder.decode(block, final)

    def size(self, text: str) -> int:
        """How many bytes of the file a text took."""
        if self._ascii and text.isascii():
            return len(text)
        text, shown = NO_TEXT.subn("", text)
        return len(text.encode(self.name)) + shown


def readable(text: str) -> str:
    """The text as people can read it, bytes that are no text by their number."""
    return NO_TEXT.sub(lambda found: f"\\x{ord(found[0]) - _BYTE_0:02x}", text)


def on_one_line(text: str) -> str:
    """The text with escapes for what is no part of a line, whoever wrote it: line breaks, controls, half characters."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
