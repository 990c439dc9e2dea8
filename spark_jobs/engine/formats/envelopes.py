"""Records nested in other objects: extraction by a declared path, and detection of undeclared envelopes.

CloudTrail writes `{"Records": [...]}`, CloudWatch Logs `{"logEvents": [...]}`, DynamoDB's export `{"Item": {...}}`,
SNS and SQS an object whose `Message` or `body` is JSON text. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from json import JSONDecodeError
from typing import Any, NamedTuple, Optional

from spark_jobs.engine.formats.scanner import CREDIT, EARNED, Budget, Number, Shape, Stretch, read_value, scan
from tidemark.core.path import Path, Step, written_path

#: The initial budget of a nested text: enough for an error page, but small enough not to add up over many texts.
_CREDIT = 1 << 13
_SPACE = re.compile(r"[ \t\r\n]*")


class Element(NamedTuple):
    """A record's value, or the reason why the element is not a record."""

    value: Optional[dict[str, Any]]
    reason: str
    raw: str  # its own text; empty if that is the scanner's whole stretch


def elements(text: str, value: dict[str, Any], path: Path, shape: Shape) -> Iterator[Element]:
    """The records at the path in an object with this text; a path that matches nothing gives a reason."""
    return _below(text, value, path, (), shape)


def salvaged(text: str, reason: str, path: Path, shape: Shape) -> Iterator[Element]:
    """The readable records of an envelope that is not valid JSON for the given reason, from the list in its text."""
    listed = _list_of(text, path)
    ones = _scanned(text[listed:], shape) if listed else []
    if all(one.value is not None for one in ones):
        yield Element(None, reason, text)
    for one in ones:
        yield Element(one.value, one.reason, text[listed + one.start : listed + one.end])


def _list_of(text: str, path: Path) -> int:
    """The position of the list at which the path ends; 0 if the path does not end at a named list."""
    if path[-1] is not None or not isinstance(path[-2], str):
        return 0
    match = re.search(re.escape(json.dumps(path[-2])) + r"\s*:\s*(?=\[)", text)
    return match.end() if match else 0


def _scanned(text: str, shape: Shape) -> list[Stretch]:
    """The scanned text; the work on malformed parts is bounded by its length."""
    return scan(text, shape, final=True, budget=Budget(min(CREDIT, _CREDIT + 4 * EARNED * len(text))))[0]


def _below(text: str, value: Any, path: Path, passed: Path, shape: Shape) -> Iterator[Element]:
    """The elements at the rest of the path in a value; `passed` is the path to the value."""
    if isinstance(value, str) and not isinstance(value, Number):
        yield from _in_text(value, path, passed, shape)
    elif not path:
        yield _record(text, value, passed)
    else:
        parts = _parts(text, path[0])
        if not parts:
            yield Element(None, f"{written_path((*passed, *path))} matches nothing: {_what(value, passed)}", text)
        for part in parts:
            yield from _below(part.text, part.value, path[1:], (*passed, part.step), shape)


def _in_text(inner: str, path: Path, passed: Path, shape: Shape) -> Iterator[Element]:
    """The elements in a nested JSON text: a list that the path enters, or concatenated objects."""
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


def _what(value: Any, passed: Path) -> str:
    """A short description of the value at which the path fails."""
    place = f"{written_path(passed)} is " if passed else ""
    if isinstance(value, dict) and value:
        return f"{place}an object of {names(value)}"
    return f"{place}{_kind(value)}"


def names(record: Mapping[str, Any]) -> str:
    """The first field names of a record, as shown in a reason."""
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
    """The parts of an object or list with this text that the step selects."""
    parts = list(_all_parts(text))
    if step is None:
        return parts
    if isinstance(step, str):
        return [part for part in parts if part.step == step and text[0] == "{"][-1:]  # the last of equal names wins
    return [parts[step]] if text[0] == "[" and -len(parts) <= step < len(parts) else []


def _all_parts(text: str) -> Iterator[_Part]:
    """All members or elements with their names or indexes."""
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
    """The position after any white space."""
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # also matches the empty text


def hint(record: Mapping[str, Any], known: frozenset[str], path: Path) -> str:
    """Suggests a path if a record that lacks a required field looks like an envelope of records; else empty.

    `path` is the declared path to the record.
    """
    unknown = [(name, *_inside(value)) for name, value in record.items() if name not in known]
    inner = [(name, steps, one) for name, steps, one in unknown if one]
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
    """The path to objects in a value, and the first of them; empty if there is none."""
    if isinstance(value, list) and value:
        steps, inner = _inside(value[0])
        return (None, *steps), inner
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            return (), read_value(value.lstrip(), 0)[0]
        except JSONDecodeError:
            return (), {}
    return (), value if isinstance(value, dict) else {}
