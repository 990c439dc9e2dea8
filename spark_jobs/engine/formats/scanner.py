"""The exact JSON scanner: finds every record in a text, regardless of separators, and reports everything else.

It runs only where the vectorised reader found a problem. Records may be concatenated, on separate lines, indented over
many lines, or in top-level arrays. A malformed record affects only itself: scanning continues at the next position at
which a record begins (`_Scan._next_record`).

Finding that position takes several attempts, and malicious text can make each attempt long and unsuccessful. A file's
`Budget` limits them, so that the time is linear in the file's size for any content.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Union

#: Text allowed between records: white space, the punctuation of arrays, byte order marks, record separators.
BETWEEN = re.compile(r"[ \t\r\n,\[\]\ufeff\x1e]*")
#: Characters in it that show that the next record is an element of an array.
_LISTED = frozenset("[,")
_NEWLINE = re.compile(r"[\r\n]")
_NEXT_BLOCK = re.compile(r"[\r\n](?=[{\[])")
#: The possible beginning of a record, or of a gateway's error page, which counts as a malformed record of its own.
_OPENING = re.compile(r'\{\s*"|<(?:html|!doctype)\b', re.IGNORECASE)
_FIRST_KEY = re.compile(r'\{\s*"([^"\\]*)"\s*:')
_AFTER = re.compile(r"\s*(.?)", re.DOTALL)
#: Characters before a value inside an object or list, and characters after one.
_INSIDE = frozenset(":[,")
_GOES_ON = frozenset(",]}")
#: Bytes that are not valid UTF-8, as `surrogateescape` decodes them.
_NO_UTF8 = re.compile("[\udc80-\udcff]")
#: Characters in which an attempt first tries to parse an object, and the factor by which it then extends them.
_WINDOW, _WIDER = 1 << 12, 16
#: The cost of an attempt, in characters, in addition to those parsed; and that of one that exceeds the maximum depth.
_TRY, _DEEP = 256, 1 << 14
#: A file's initial budget, and the budget that each settled character adds.
CREDIT, EARNED = 16 << 20, 4

UNSEARCHED = "; too broken to look for records in the rest of its line"


class Number(str):
    """A JSON number as written, so that decimals stay exact and long ids keep all digits."""

    __slots__ = ()


@dataclass(frozen=True)
class Shape:
    """The field names that distinguish a record from an object nested in one."""

    required: frozenset[str]
    known: frozenset[str]

    def surely(self, value: dict[str, Any]) -> bool:
        """Whether the object is a record even in the position of a nested value, as it has half of the known fields.

        One required field may be missing: such a record will be rejected, but is still a record of its own.
        """
        missing = sum(value.get(name) is None for name in self.required)
        alike = bool(self.known) and 2 * len(self.known & value.keys()) >= len(self.known)
        return missing <= 1 and alike and self.perhaps(value)

    def perhaps(self, value: dict[str, Any]) -> bool:
        """Whether the object has a record's field, so that it is a record unless it is nested in another."""
        names = self.required or self.known
        return not names or not names.isdisjoint(value)


class Stretch(NamedTuple):
    """A stretch of the text, in character offsets, with a record's value or the reason why it is not a record."""

    start: int
    end: int
    value: Optional[dict[str, Any]]
    reason: str = ""
    searched: bool = True  # whether malformed text was searched for a following record


class Budget:
    """The remaining cost allowed for attempts to parse a file's broken text, in characters.

    It depends only on the file's text so far, so the result does not depend on how the file is cut into blocks.
    """

    def __init__(self, credit: int = CREDIT) -> None:
        self._most = self.left = credit
        self.spent = self.attempts = 0  # in total
        self.gave_up = 0  # the cost at which the current stretch exceeded the budget; its end is still to come

    def settle(self, characters: int, spent: int = 0) -> None:
        """Add the budget for settled text, and subtract the cost of the attempts."""
        self.left = min(self._most, self.left + EARNED * characters - spent)
        self.spent += spent
        self.gave_up = 0


def scan(text: str, shape: Shape, *, final: bool, budget: Optional[Budget] = None) -> tuple[list[Stretch], int]:
    """All stretches of `text` in order, and the offset up to which they are settled.

    Unless the text is `final`, the last stretch is left to the next call if more text could change it. Invalid UTF-8
    must be decoded with `surrogateescape`.
    """
    stretches: list[Stretch] = []
    scanning = _Scan(text, shape, budget or Budget(), final=final)
    at, suspect = 0, _NO_UTF8.search(text) is not None
    while True:
        between = BETWEEN.match(text, at)
        assert between  # it also matches the empty text
        at, listed = between.end(), not _LISTED.isdisjoint(between.group())
        one = scanning.one(at, listed=listed) if at < len(text) else None
        if one is None:
            return stretches, at if final else _certain(between)
        if suspect and one.value is not None and _NO_UTF8.search(text, one.start, one.end):
            one = one._replace(value=None, reason="invalid UTF-8")
        stretches.append(one)
        at = one.end


def _certain(between: re.Match[str]) -> int:
    """The settled offset within the text between records; the last `[` or `,` is still needed for the next record."""
    listed_at = max(between.group().rfind(mark) for mark in _LISTED)
    return between.end() if listed_at < 0 else between.start() + listed_at


class _Broken(NamedTuple):
    """The failure to parse an object."""

    at: int  # offset of the error from the object's beginning
    message: str  # from the parser
    open: bool  # whether more text could complete the object
    looked: int  # characters parsed


#: An object and its end, or the failure to parse one.
_Attempt = Union[tuple[dict[str, Any], int], _Broken]


class _Scan:
    """The scanning of one text, with caches so that nothing is searched twice."""

    def __init__(self, text: str, shape: Shape, budget: Budget, *, final: bool) -> None:
        self._text, self._shape, self._budget, self._final = text, shape, budget, final
        self._spent = 0  # on the current stretch
        self._line = self._block = (0, -1)

    def one(self, at: int, *, listed: bool) -> Optional[Stretch]:
        """The stretch that begins at `at`, which may be `listed` in an array; None if more text is needed to decide."""
        self._spent = 0
        stretch = self._fully(at, listed=listed) if self._budget.left > 0 else self._by_lines(at)
        if stretch:
            self._budget.settle(stretch.end - at, self._spent)
        return stretch

    def _fully(self, at: int, *, listed: bool) -> Optional[Stretch]:
        """The stretch, with a full search for the record that follows malformed text."""
        if self._text[at] != "{":
            return self._rejected(at, at, self._line_end(at), "", listed=listed)
        attempt = self._attempt(at, len(self._text))
        if not isinstance(attempt, _Broken):
            return Stretch(at, attempt[1], attempt[0])
        if attempt.open and not self._final:
            return None
        bound, reason = self._broken_end(at, at + attempt.at), _reason_of(attempt, len(self._text) - at)
        return self._rejected(at, at + 1, bound, reason, listed=listed)

    def _rejected(self, at: int, start: int, bound: int, reason: str, *, listed: bool) -> Optional[Stretch]:
        if not reason:
            self._spent += _TRY
        end = self._next_record(start, bound, listed=listed)
        if end is None:
            return None
        searched = end < bound or not self._budget.gave_up
        reason = reason or _reason_of_junk(self._text[at:end])
        return Stretch(at, end, None, reason if searched else reason + UNSEARCHED, searched)

    def _by_lines(self, at: int) -> Optional[Stretch]:
        """The stretch when the budget is exhausted: a record within one line, or the line as malformed text."""
        end, reason = self._line_end(at), "not a JSON object"
        if self._text[at] == "{":
            attempt = self._attempt(at, end)
            if not isinstance(attempt, _Broken):
                return Stretch(at, attempt[1], attempt[0])
            reason = _reason_of(attempt, end - at)
        self._spent = _TRY
        end = self._line_end(min(at + _TRY // EARNED, len(self._text)))
        return Stretch(at, end, None, reason + UNSEARCHED, False) if end < len(self._text) or self._final else None

    def _attempt(self, at: int, end: int) -> _Attempt:
        """Parse the object that begins at `at` and ends at `end` or earlier."""
        size, text = _WINDOW, self._text
        self._budget.attempts += 1
        while True:
            stop = min(at + size, end)
            attempt = _decoded(text[at:stop])
            if not isinstance(attempt, _Broken):
                return attempt[0], at + attempt[1]
            if stop == end or not attempt.open:
                self._spent += _TRY + (stop - at if attempt.open else attempt.looked)
                return attempt
            size *= _WIDER

    def _next_record(self, start: int, bound: int, *, listed: bool) -> Optional[int]:
        """The beginning of the next record between `start` and `bound`; None if more text is needed to decide.

        The text before it may be a truncated record. An object that follows can then be nested in it, or be the next
        record, concatenated without a separator. Its fields and the characters around it decide.
        """
        text, at, budget = self._text, start, self._budget
        while not budget.gave_up:
            if self._spent > budget.left:
                budget.gave_up = self._spent
                break
            opening = _OPENING.search(text, at, bound)
            if opening is None:
                break
            here = opening.start()
            if text[here] == "<":
                if here > start:
                    return here
                at = here + 1
                continue
            attempt = self._attempt(here, len(text))
            if isinstance(attempt, _Broken):
                if attempt.open and not self._final:
                    return None
                if _begins_record(text, here, self._shape):
                    return here
                at = here + 1
                continue
            value, at = attempt
            self._spent += max(0, at - bound)  # the text after `bound` will be parsed again
            following = _AFTER.match(text, at).group(1)  # type: ignore[union-attr]  # also matches the empty text
            if not following and not self._final:
                return None
            if _is_record(self._shape, value, _before(text, here), following, listed=listed):
                return here
        self._spent = budget.gave_up or self._spent
        return None if bound == len(text) and not self._final else bound

    def _line_end(self, at: int) -> int:
        first, end = self._line
        if not first <= at <= end:
            newline = _NEWLINE.search(self._text, at)
            self._line = at, newline.start() if newline else len(self._text)
        return self._line[1]

    def _block_end(self, at: int) -> int:
        """The end of the line before the next line that begins with a bracket."""
        first, end = self._block
        if not first <= at <= end:
            block = _NEXT_BLOCK.search(self._text, at)
            self._block = at, block.start() if block else len(self._text)
        return self._block[1]

    def _broken_end(self, at: int, broke_at: int) -> int:
        """The latest possible end of an object with an error at `broke_at`.

        If the error is on the object's first line or at its end, the object ends with that line. An object that is
        indented over several lines ends before the next line that begins with a bracket.
        """
        line_end = self._line_end(at)
        if line_end >= broke_at or not self._text[line_end:broke_at].strip():
            return line_end
        return self._block_end(broke_at - 1)


def _is_record(shape: Shape, value: dict[str, Any], before: str, following: str, *, listed: bool) -> bool:
    """Whether an object after broken text is a record, and not nested in the broken one."""
    if following in _GOES_ON and not (listed and before != ":"):
        return False
    return shape.surely(value) or (shape.perhaps(value) and before not in _INSIDE)


_STRICT, _LENIENT = (
    json.JSONDecoder(strict=strict, parse_float=Number, parse_int=Number, parse_constant=Number).raw_decode
    for strict in (True, False)
)
_TOO_DEEP, _CONTROL, _UNTERMINATED = "nested too deeply", "Invalid control character", "Unterminated string"


def read_value(text: str, at: int) -> tuple[Any, int]:
    """The value at `at` and its end; `json.JSONDecodeError` if there is none.

    Raw line breaks inside strings are accepted only if the value is then complete.
    """
    try:
        try:
            return _STRICT(text, at)
        except json.JSONDecodeError as error:
            if not error.msg.startswith(_CONTROL):
                raise
            try:
                return _LENIENT(text, at)
            except json.JSONDecodeError:
                raise error from None
    except RecursionError:
        raise json.JSONDecodeError(_TOO_DEEP, text, at) from None


def _decoded(text: str) -> _Attempt:
    """The object at the beginning of the text, parsed as in `read_value`."""
    try:
        return _STRICT(text, 0)
    except json.JSONDecodeError as error:
        if not error.msg.startswith(_CONTROL):
            return _Broken(error.pos, error.msg, _may_go_on(text, error), error.pos)
        return _leniently(text, error)
    except RecursionError:
        return _Broken(0, _TOO_DEEP, False, _DEEP)


def _leniently(text: str, strictly: json.JSONDecodeError) -> _Attempt:
    try:
        return _LENIENT(text, 0)
    except json.JSONDecodeError as error:
        return _Broken(strictly.pos, strictly.msg, _may_go_on(text, error), error.pos)
    except RecursionError:
        return _Broken(0, _TOO_DEEP, False, _DEEP)


def _may_go_on(text: str, error: json.JSONDecodeError) -> bool:
    """Whether more text could complete the object; every literal and escape is shorter than 16 characters."""
    return error.msg.startswith(_UNTERMINATED) or error.pos >= len(text) - 16


def _begins_record(text: str, at: int, shape: Shape) -> bool:
    """Whether an object that cannot be parsed looks like the beginning of another record."""
    key = _FIRST_KEY.match(text, at)
    names = shape.required or shape.known
    return key is not None and key.group(1) in names and _before(text, at) not in _INSIDE


def _before(text: str, at: int) -> str:
    """The last non-blank character before `at`."""
    return text[max(0, at - 64) : at].rstrip(" \t")[-1:]


def _reason_of(broken: _Broken, length: int) -> str:
    if broken.message == _TOO_DEEP:
        return _TOO_DEEP
    if broken.at >= length or broken.message.startswith(_UNTERMINATED):
        return "JSON cut off"
    return f"broken JSON: {broken.message[0].lower()}{broken.message[1:]}"


def _reason_of_junk(text: str) -> str:
    return "NUL bytes" if not text.strip("\0 \t\r\n") else "not a JSON object"
