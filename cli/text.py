"""Untrusted text as text: one visible line in which nothing is obeyed by a terminal. Imports nothing but Unicode.

Names of files, records, reasons and rows come from outside. What a terminal would obey (ESC, carriage return, bidi
overrides) is shown as an escape.
"""

from __future__ import annotations

import re
import unicodedata

NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Controls, format characters (bidi overrides, zero-width), surrogates, line and paragraph separators.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: Bytes of a file name that are not UTF-8, as Python decodes them.
FOREIGN_BYTES = range(0xDC80, 0xDD00)
_MARKS = frozenset({"Mn", "Mc", "Me"})
_LINE_ENDS = re.compile(r"\s*[\r\n]+\s*")


def visible(value: object) -> str:
    """The value in one line in which nothing moves the cursor, changes colours, or hides: escapes stand for it."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    # A combining mark at the start would change the character printed before it.
    first = _escape(text[0]) if text and unicodedata.category(text[0]) in _MARKS else None
    shown = "".join(_escape(char) if unicodedata.category(char) in HIDDEN else char for char in text)
    return shown if first is None else first + shown[1:]


def name(value: object) -> str:
    """`visible` for a file's name, with blanks at either end as escapes: they count, and could not be seen."""
    text = visible(value)
    bare = text.strip(" ")
    before = len(text) - len(text.lstrip(" ")) if bare else 0
    return "\\x20" * before + bare + "\\x20" * (len(text) - len(bare) - before)


def one_line(error: object) -> str:
    """An error's text in one visible line."""
    return visible(_LINE_ENDS.sub(" ", str(error).strip()))


def _escape(char: str) -> str:
    code = ord(char)
    if code in FOREIGN_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return NAMED.get(char, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
