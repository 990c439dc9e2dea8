"""Records inside of other objects: where a declared path finds them, and how an undeclared envelope looks.

CloudTrail lands `{"Records": [...]}`, CloudWatch Logs `{"logEvents": [...]}`, DynamoDB's export `{"Item": {...}}`,
SNS and SQS an object whose `Message` or `body` is a text of JSON. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from json import JSONDecodeError
from typing import Any, NamedTuple, Optional

from spark_jobs.engine.formats.scanner import CREDIT, EARNED, Budget, Found, Number, Shape, read_value, scan
from tidemark.core.path import Path, Step, written_path

#: What a text inside of another may spend in advance: enough for an error page, too little to add up.
_CREDIT = 1 << 13
_SPACE = re.compile(r"[ \t\r\n]*")


class Element(NamedTuple):
    """What stands where a record should: its value, or the reason why it is none."""

    value: Optional[dict[str, Any]]
    reason: str
    raw: str  # its own text; empty where that is what the scanner found


def elements(text: str, value: dict[str, Any], path: Path, shape: Shape) -> Iterator[Element]:
    """The records that the path finds in an object, whose text it is; what is missing on the way has a reason."""
    return _below(text, value, path, (), shape)


def salvaged(text: str, reason: str, path: Path, shape: Shape) -> Iterator[Element]:
    """The records of an envelope that is no JSON for the reason given: those that its list holds nevertheless."""
    listed = _list_of(text, path)
    ones = _scanned(text[listed:], shape) if listed else []
    if all(one.value is not None for one in ones):
        yield Element(None, reason, text)
    for one in ones:
        yield Element(one.value, one.reason, text[listed + one.start : listed + one.end])


def _list_of(text: str, path: Path) -> int:
    """Where the list begins at which the path ends; 0 where it does not."""
    if path[-1] is not None or not isinstance(path[-2], str):
        return 0
    found = re.search(re.escape(json.dumps(path[-2])) + r"\s*:\s*(?=\[)", text)
    return found.end() if found else 0


def _scanned(text: str, shape: Shape) -> list[Found]:
    """What stands in a text; the work on what is broken is bounded by its length."""
    return scan(text, shape, final=True, budget=Budget(min(CREDIT, _CREDIT + 4 * EARNED * len(text))))[0]


def _below(text: str, value: Any, path: Path, passed: Path, shape: Shape) -> Iterator[Element]:
    """What the rest of the path finds in a value."""
    if isinstance(value, str) and not isinstance(value, Number):
        yield from _in_text(value, path, passed, shape)
    elif not path:
        yield _record(text, value, passed)
    else:
        parts = _parts(text, path[0])
        if not parts:
            yield Element(None, f"{written_path((*passed, *path))} finds nothing: {_found(value, passed)}", text)
        for part in parts:
            yield from _below(part.text, part.value, path[1:], (*passed, part.step), shape)


def _in_text(inner: str, path: Path, passed: Path, shape: Shape) -> Iterator[Element]:
    """A text on the way is JSON: of a list into which the path leads, or of objects however they are joined."""
    if path and not isinstance(path[0], str) and inner.lstrip()[:1] == "[":
        yield from _in_list(inner.strip(), path, passed, shape)
        return
    ones = _scanned(inner, shape)
    if not ones:
        yield Element(None, f"{written_path(passed)}: an empty text", inner)
    for one in ones:
        raw = inner[one.start : one.end]
        if one.value is None:
            yield Element(None, f"{written_path(passed)}: {one.reason}", raw)
        else:
            yield from _below(raw, one.value, path, passed, shape)


def _in_list(text: str, path: Path, passed: Path, shape: Shape) -> Iterator[Element]:
    try:
        value, end = read_value(text, 0)
    except JSONDecodeError:
        value, end = None, 0
    if end < len(text):
        yield Element(None, f"{written_path(passed)}: not a JSON list", text)
    else:
        yield from _below(text, value, path, passed, shape)


def _record(text: str, value: Any, passed: Path) -> Element:
    if isinstance(value, dict):
        return Element(value, "", text)
    more = f"; declare {written_path((*passed, None))}" if isinstance(value, list) else ""
    return Element(None, f"{written_path(passed)}: expected an object, found {_kind(value)}{more}", text)


def _found(value: Any, passed: Path) -> str:
    """What stands where the path goes on, in a few words."""
    place = f"{written_path(passed)} is " if passed else ""
    if isinstance(value, dict) and value:
        return f"{place}an object of {names(value)}"
    return f"{place}{_kind(value)}"


def names(record: Mapping[str, Any]) -> str:
    """The first names of a record, as a reason shows them."""
    shown = [name if name.isprintable() and len(name) <= 40 else repr(name[:40]) for name in list(record)[:5]]
    return ", ".join([*shown, "…"] if len(record) > 5 else shown)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else f"the number {value:.40}"


class _Part(NamedTuple):
    step: Step
    text: str
    value: Any


def _parts(text: str, step: Step) -> list[_Part]:
    """The parts of an object or a list, whose text it is, to which the step leads."""
    parts = list(_all_parts(text))
    if step is None:
        return parts
    if isinstance(step, str):
        return [part for part in parts if part.step == step and text[0] == "{"][-1:]  # of equal names the last counts
    return [parts[step]] if text[0] == "[" and -len(parts) <= step < len(parts) else []


def _all_parts(text: str) -> Iterator[_Part]:
    """All members or elements, with their names or indexes."""
    if text[0] not in "{[":
        return
    at, index = _space(text, 1), 0
    while text[at] not in "]}":
        step: Step = index
        if text[0] == "{":
            step, at = read_value(text, at)
            at = _space(text, _space(text, at) + 1)
        value, end = read_value(text, at)
        yield _Part(step, text[at:end], value)
        at, index = _space(text, end), index + 1
        at = _space(text, at + 1) if text[at] == "," else at


def _space(text: str, at: int) -> int:
    """Behind the white space."""
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too


def hint(record: Mapping[str, Any], known: frozenset[str], path: Path) -> str:
    """Which path to declare where a record without a needed field looks like an envelope of records; else empty.

    `path` is the one that is declared, and that led to the record.
    """
    found = [(name, *_inside(value)) for name, value in record.items() if name not in known]
    inner = [(name, steps, one) for name, steps, one in found if one]
    ways = (
        [(name, steps) for name, steps, one in inner if not known.isdisjoint(one)],
        [(name, steps) for name, steps, _ in inner if steps and known.isdisjoint(record)],
        [(name, steps) for name, steps, _ in inner if known.isdisjoint(record)],
    )
    best = next((way[0] for way in ways if len(way) == 1), None)
    if best is None:
        return ""
    return f'; it looks like an envelope: declare `records: "{written_path((*path, best[0], *best[1]))}"` in `format`'


def _inside(value: Any) -> tuple[Path, Mapping[str, Any]]:
    """How objects in a value are reached, and the first of them; empty where there is none."""
    if isinstance(value, list) and value:
        steps, inner = _inside(value[0])
        return (None, *steps), inner
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            return (), read_value(value.lstrip(), 0)[0]
        except JSONDecodeError:
            return (), {}
    return (), value if isinstance(value, dict) else {}
