"""The exact JSON scanner: finds every record in a text, however the records are joined, and names what is none.

It is asked only where the vectorised reader found something wrong. Records may stand one behind the other, on
lines, indented over many lines, or in top-level arrays. What cannot be read costs itself alone: reading goes on at
the next position from which a record begins (`_next_record`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

#: What may stand between records: white space, the punctuation of arrays, byte order marks, record separators.
BETWEEN = re.compile(r"[ \t\r\n,\[\]\ufeff\x1e]*")
_NEWLINE = re.compile(r"[\r\n]")
_NEXT_BLOCK = re.compile(r"[\r\n](?=[{\[])")
#: Where a record may begin, or the error page of a gateway, which is a broken record of its own.
_OPENING = re.compile(r'\{\s*"|<(?:html|!doctype)\b', re.IGNORECASE)
_FIRST_KEY = re.compile(r'\{\s*"([^"\\]*)"\s*:')
_AFTER = re.compile(r"\s*(.?)", re.DOTALL)
#: What goes before a value inside an object or a list, and what follows one.
_INSIDE = frozenset(":[,")
_GOES_ON = frozenset(",]}")
#: Bytes that are no UTF-8, as `surrogateescape` shows them.
_NO_UTF8 = re.compile("[\udc80-\udcff]")
#: Characters that failed candidates may cost before one broken stretch; bounds text made to be quadratic.
_SEARCH_MAX = 8 << 20


class Number(str):
    """A JSON number as it was written: cents stay exact, and long ids keep their digits."""

    __slots__ = ()


@dataclass(frozen=True)
class Shape:
    """What tells a record from an object nested in one."""

    required: frozenset[str]
    known: frozenset[str]

    def surely(self, value: dict[str, Any]) -> bool:
        """The object is a record even where a value goes: it has half of the known fields.

        One needed field may be missing: a record that must be rejected for it is still one of its own.
        """
        missing = sum(value.get(name) is None for name in self.required)
        alike = bool(self.known) and 2 * len(self.known & value.keys()) >= len(self.known)
        return missing <= 1 and alike and self.perhaps(value)

    def perhaps(self, value: dict[str, Any]) -> bool:
        """The object has a field of a record, and is one if it does not stand inside another."""
        names = self.required or self.known
        return not names or not names.isdisjoint(value)


class Found(NamedTuple):
    """A stretch of the text, as character offsets: a record's value, or the reason why it is none."""

    start: int
    end: int
    value: Optional[dict[str, Any]]
    reason: str = ""


def scan(text: str, shape: Shape, *, final: bool) -> tuple[list[Found], int]:
    """All that `text` holds, in order, and the offset up to which that is certain.

    Unless the text is `final`, its last stretch is left to the next call whenever more text could change it.
    Invalid UTF-8 is expected as `surrogateescape` decodes it.
    """
    found: list[Found] = []
    at, suspect = 0, _NO_UTF8.search(text) is not None
    while True:
        between = BETWEEN.match(text, at)
        assert between  # it matches nothing, too
        at, listed = between.end(), not {"[", ","}.isdisjoint(between.group())
        if at == len(text):
            return found, at
        one = _one(text, at, shape, listed=listed, final=final)
        if one is None:
            return found, at
        if suspect and one.value is not None and _NO_UTF8.search(text, one.start, one.end):
            one = one._replace(value=None, reason="invalid UTF-8")
        found.append(one)
        at = one.end


def _one(text: str, at: int, shape: Shape, *, listed: bool, final: bool) -> Optional[Found]:
    """The stretch that begins at `at`, `listed` in an array or not; None when only more text can tell."""
    if text[at] != "{":
        end = _next_record(text, at, _line_end(text, at), shape, listed=listed, final=final)
        return None if end is None else Found(at, end, None, _reason_of_junk(text[at:end]))
    try:
        value, end = read_object(text, at)
    except json.JSONDecodeError as error:
        if not final and _may_go_on(text, error):
            return None
        stop = _next_record(text, at + 1, _broken_end(text, at, error.pos), shape, listed=listed, final=final)
        return None if stop is None else Found(at, stop, None, _reason_of(error))
    return Found(at, end, value)


_DECODERS = tuple(
    json.JSONDecoder(strict=strict, parse_float=Number, parse_int=Number, parse_constant=Number).raw_decode
    for strict in (True, False)
)


def read_object(text: str, at: int) -> tuple[dict[str, Any], int]:
    """The object at `at` and its end. Raw line breaks inside strings are read only if the object is then complete."""
    strict, lenient = _DECODERS
    try:
        try:
            return strict(text, at)
        except json.JSONDecodeError as error:
            if not error.msg.startswith("Invalid control character"):
                raise
            try:
                return lenient(text, at)
            except json.JSONDecodeError:
                raise error from None
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", text, at) from None


def _may_go_on(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the object could be whole if the text did not end here; 16 characters hold any literal or escape."""
    return error.msg.startswith("Unterminated string") or error.pos >= len(text) - 16


def _line_end(text: str, at: int) -> int:
    newline = _NEWLINE.search(text, at)
    return newline.start() if newline else len(text)


def _broken_end(text: str, at: int, broke_at: int) -> int:
    """Where an object that broke at `broke_at` ends at the latest.

    An object that broke on its first line, or where that line ended, does not reach beyond it. One that was
    indented over several lines ends where a line begins with a bracket.
    """
    line_end = _line_end(text, at)
    if line_end >= broke_at or not text[line_end:broke_at].strip():
        return line_end
    block = _NEXT_BLOCK.search(text, broke_at - 1)
    return block.start() if block else len(text)


def _next_record(text: str, start: int, bound: int, shape: Shape, *, listed: bool, final: bool) -> Optional[int]:
    """Where, from `start` and at `bound` at the latest, the next record begins; None when only more text can tell.

    The text before may be a record that was cut off in the middle, so an object that begins there can be nested in
    it, or be the next record, glued to it. Its fields and its surroundings tell.
    """
    spent, searched = 0, start
    for opening in _OPENING.finditer(text, start, bound):
        at = opening.start()
        if text[at] == "<" and at > start:
            return at
        if text[at] == "<" or (spent > _SEARCH_MAX and at < searched):
            continue
        try:
            value, end = read_object(text, at)
        except json.JSONDecodeError as error:
            if not final and _may_go_on(text, error):
                return None
            if _begins_record(text, at, shape):
                return at
            spent, searched = spent + error.pos - at, max(searched, error.pos)
            continue
        before = _before(text, at)
        following = _AFTER.match(text, end).group(1)  # type: ignore[union-attr]  # it matches nothing, too
        if not following and not final:
            return None
        nested = following in _GOES_ON and not (listed and before != ":")
        if not nested and (shape.surely(value) or (shape.perhaps(value) and before not in _INSIDE)):
            return at
    return None if bound == len(text) and not final else bound


def _begins_record(text: str, at: int, shape: Shape) -> bool:
    """Whether an object that cannot be read looks like the beginning of another record."""
    key = _FIRST_KEY.match(text, at)
    names = shape.required or shape.known
    return key is not None and key.group(1) in names and _before(text, at) not in _INSIDE


def _before(text: str, at: int) -> str:
    """The character before, on the same line."""
    return text[max(0, at - 64) : at].rstrip(" \t")[-1:]


def _reason_of(error: json.JSONDecodeError) -> str:
    if error.pos >= len(error.doc) or error.msg.startswith("Unterminated string"):
        return "JSON cut off"
    return f"broken JSON: {error.msg[0].lower()}{error.msg[1:]}"


def _reason_of_junk(text: str) -> str:
    return "NUL bytes" if not text.strip("\0 \t\r\n") else "not a JSON object"
