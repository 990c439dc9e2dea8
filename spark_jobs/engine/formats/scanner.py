"""The exact JSON scanner: finds every record in a text, however the records are joined, and names what is none.

It is asked only where the vectorised reader found something wrong. Records may stand one behind the other, on
lines, indented over many lines, or in top-level arrays. What cannot be read costs itself alone: reading goes on at
the next position from which a record begins (`_Scan.next_record`).

Looking for that position takes attempts, and text can be made so that each takes long and none succeeds. A file's
`Budget` bounds them: time is linear in the file's size, whatever it holds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Union

#: What may stand between records: white space, the punctuation of arrays, byte order marks, record separators.
BETWEEN = re.compile(r"[ \t\r\n,\[\]\ufeff\x1e]*")
#: Of it, what tells that the next record is an element of an array.
_LISTED = frozenset("[,")
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
#: What an object that cannot be read is looked at in first, in characters; then in so many times as much.
_WINDOW, _WIDER = 1 << 12, 16
#: What an attempt costs beside the characters that it looks at, and what one costs that ends at the depth that can be
#: read, in characters.
_TRY, _DEEP = 256, 1 << 14
#: What a file may spend in advance, and what each of its characters earns once it is settled.
CREDIT, EARNED = 16 << 20, 4

UNSEARCHED = "; too broken to look for records in the rest of its line"


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
    searched: bool = True  # for a record behind what is none


class Budget:
    """What attempts at broken text may still cost in a file, in characters looked at.

    It depends on nothing but the file's text up to here, so what is found does not depend on how the file is cut.
    """

    def __init__(self, credit: int = CREDIT) -> None:
        self._most = self.left = credit
        self.spent = self.attempts = 0  # altogether
        self.gave_up = 0  # what was spent on the stretch in work when that was too much; it waits for its end

    def settle(self, characters: int, spent: int = 0) -> None:
        """Account for text that is settled, and for the attempts that it took."""
        self.left = min(self._most, self.left + EARNED * characters - spent)
        self.spent += spent
        self.gave_up = 0


def scan(text: str, shape: Shape, *, final: bool, budget: Optional[Budget] = None) -> tuple[list[Found], int]:
    """All that `text` holds, in order, and the offset up to which that is certain.

    Unless the text is `final`, its last stretch is left to the next call whenever more text could change it.
    Invalid UTF-8 is expected as `surrogateescape` decodes it.
    """
    found: list[Found] = []
    scanning = _Scan(text, shape, budget or Budget(), final=final)
    at, suspect = 0, _NO_UTF8.search(text) is not None
    while True:
        between = BETWEEN.match(text, at)
        assert between  # it matches nothing, too
        at, listed = between.end(), not _LISTED.isdisjoint(between.group())
        one = scanning.one(at, listed=listed) if at < len(text) else None
        if one is None:
            return found, at if final else _certain(between)
        if suspect and one.value is not None and _NO_UTF8.search(text, one.start, one.end):
            one = one._replace(value=None, reason="invalid UTF-8")
        found.append(one)
        at = one.end


def _certain(between: re.Match[str]) -> int:
    """Up to where what stands between records is settled: that the next one is listed has still to be seen."""
    told = max(between.group().rfind(mark) for mark in _LISTED)
    return between.end() if told < 0 else between.start() + told


class _Broken(NamedTuple):
    """Why there is no object."""

    at: int  # where it broke, from its beginning
    message: str  # the parser's
    open: bool  # more text could make it whole
    looked: int  # characters


#: An object and its end, or why there is none.
_Attempt = Union[tuple[dict[str, Any], int], _Broken]


class _Scan:
    """One text that is scanned, and what is remembered of it so that nothing is looked for twice."""

    def __init__(self, text: str, shape: Shape, budget: Budget, *, final: bool) -> None:
        self._text, self._shape, self._budget, self._final = text, shape, budget, final
        self._spent = 0  # for the stretch in work
        self._line = self._block = (0, -1)

    def one(self, at: int, *, listed: bool) -> Optional[Found]:
        """The stretch that begins at `at`, `listed` in an array or not; None when only more text can tell."""
        self._spent = 0
        found = self._fully(at, listed=listed) if self._budget.left > 0 else self._by_lines(at)
        if found:
            self._budget.settle(found.end - at, self._spent)
        return found

    def _fully(self, at: int, *, listed: bool) -> Optional[Found]:
        """With all that it takes to find the record behind what is none."""
        if self._text[at] != "{":
            return self._rejected(at, at, self._line_end(at), "", listed=listed)
        attempt = self._attempt(at, len(self._text))
        if not isinstance(attempt, _Broken):
            return Found(at, attempt[1], attempt[0])
        if attempt.open and not self._final:
            return None
        bound, reason = self._broken_end(at, at + attempt.at), _reason_of(attempt, len(self._text) - at)
        return self._rejected(at, at + 1, bound, reason, listed=listed)

    def _rejected(self, at: int, start: int, bound: int, reason: str, *, listed: bool) -> Optional[Found]:
        if not reason:
            self._spent += _TRY
        end = self._next_record(start, bound, listed=listed)
        if end is None:
            return None
        searched = end < bound or not self._budget.gave_up
        reason = reason or _reason_of_junk(self._text[at:end])
        return Found(at, end, None, reason if searched else reason + UNSEARCHED, searched)

    def _by_lines(self, at: int) -> Optional[Found]:
        """A record on one line, or at least a line that is none: what the file's budget still allows."""
        end, reason = self._line_end(at), "not a JSON object"
        if self._text[at] == "{":
            attempt = self._attempt(at, end)
            if not isinstance(attempt, _Broken):
                return Found(at, attempt[1], attempt[0])
            reason = _reason_of(attempt, end - at)
        self._spent = _TRY
        end = self._line_end(min(at + _TRY // EARNED, len(self._text)))
        return Found(at, end, None, reason + UNSEARCHED, False) if end < len(self._text) or self._final else None

    def _attempt(self, at: int, end: int) -> _Attempt:
        """Read the object that begins at `at` and ends at `end` at the latest."""
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
        """Where, from `start` and at `bound` at the latest, the next record begins; None when only more text can tell.

        The text before may be a record that was cut off in the middle, so an object that begins there can be nested
        in it, or be the next record, glued to it. Its fields and its surroundings tell.
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
            self._spent += max(0, at - bound)  # it will be looked at again
            following = _AFTER.match(text, at).group(1)  # type: ignore[union-attr]  # it matches nothing, too
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
        """Where the next line begins with a bracket."""
        first, end = self._block
        if not first <= at <= end:
            block = _NEXT_BLOCK.search(self._text, at)
            self._block = at, block.start() if block else len(self._text)
        return self._block[1]

    def _broken_end(self, at: int, broke_at: int) -> int:
        """Where an object that broke at `broke_at` ends at the latest.

        An object that broke on its first line, or where that line ended, does not reach beyond it. One that was
        indented over several lines ends where a line begins with a bracket.
        """
        line_end = self._line_end(at)
        if line_end >= broke_at or not self._text[line_end:broke_at].strip():
            return line_end
        return self._block_end(broke_at - 1)


def _is_record(shape: Shape, value: dict[str, Any], before: str, following: str, *, listed: bool) -> bool:
    """Whether an object behind broken text is a record, and not nested in what broke."""
    if following in _GOES_ON and not (listed and before != ":"):
        return False
    return shape.surely(value) or (shape.perhaps(value) and before not in _INSIDE)


_STRICT, _LENIENT = (
    json.JSONDecoder(strict=strict, parse_float=Number, parse_int=Number, parse_constant=Number).raw_decode
    for strict in (True, False)
)
_TOO_DEEP, _CONTROL, _UNTERMINATED = "nested too deeply", "Invalid control character", "Unterminated string"


def read_value(text: str, at: int) -> tuple[Any, int]:
    """The value at `at` and its end; `json.JSONDecodeError` where there is none.

    Raw line breaks inside strings are read only if the value is then complete.
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
    """The object with which the text begins, as `read_value` reads it."""
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
    """Whether the object could be whole if the text did not end here; 16 characters hold any literal or escape."""
    return error.msg.startswith(_UNTERMINATED) or error.pos >= len(text) - 16


def _begins_record(text: str, at: int, shape: Shape) -> bool:
    """Whether an object that cannot be read looks like the beginning of another record."""
    key = _FIRST_KEY.match(text, at)
    names = shape.required or shape.known
    return key is not None and key.group(1) in names and _before(text, at) not in _INSIDE


def _before(text: str, at: int) -> str:
    """The character before, on the same line."""
    return text[max(0, at - 64) : at].rstrip(" \t")[-1:]


def _reason_of(broken: _Broken, length: int) -> str:
    if broken.message == _TOO_DEEP:
        return _TOO_DEEP
    if broken.at >= length or broken.message.startswith(_UNTERMINATED):
        return "JSON cut off"
    return f"broken JSON: {broken.message[0].lower()}{broken.message[1:]}"


def _reason_of_junk(text: str) -> str:
    return "NUL bytes" if not text.strip("\0 \t\r\n") else "not a JSON object"
