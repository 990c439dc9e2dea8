"""Fields of a record that its declaration does not know, kept as the text of a JSON object. Pure.

A value is what the exact scanner reads, or what a library of another format gives; `plain` turns the latter into the
former. Numbers stand as they were written, the fields in their order.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, Optional
from uuid import UUID

from spark_jobs.formats.checks import UnfitError
from spark_jobs.formats.scanner import BETWEEN, Number, read_object
from tidemark.core.dataset import STRING_BYTES_MAX


def rescued(unknown: Mapping[str, Any]) -> Optional[str]:
    """The fields as JSON, or None when there are none; `UnfitError` when the column could not hold them whole."""
    if not unknown:
        return None
    text = written(dict(unknown))
    size = len(text) if text.isascii() else len(text.encode())
    if size > STRING_BYTES_MAX:
        raise UnfitError(f"unknown fields: {size} bytes, at most {STRING_BYTES_MAX}")
    return text


def rescued_of_objects(text: str, known: frozenset[str]) -> list[Optional[str]]:
    """`rescued` for each of the objects that stand in the text one behind the other.

    Raises `json.JSONDecodeError` where something else stands, and `UnfitError` as `rescued` does.
    """

    @lru_cache(1_024)  # most records have the fields of the one before
    def unknown(*names: str) -> tuple[str, ...]:
        return tuple(name for name in names if name not in known)

    found: list[Optional[str]] = []
    at, space = 0, BETWEEN.match
    while True:
        at = space(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        if at == len(text):
            return found
        value, at = read_object(text, at)
        found.append(rescued({name: value[name] for name in unknown(*value)}))


def written(value: Any) -> str:
    """A value's JSON; `UnfitError` when it is nested too deeply."""
    try:
        return _written(value)
    except RecursionError:
        raise UnfitError("nested too deeply") from None


def _written(value: Any) -> str:
    if isinstance(value, Number):  # NaN and Infinity are no JSON
        return value if value[-1].isdigit() else f'"{value}"'
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(name)}:{_written(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode()}"'
    return json.dumps(value)


def _quoted(text: str) -> str:
    quoted: str = encode_basestring(text)
    if not quoted.isascii():
        try:
            quoted.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can hold
            return str(encode_basestring_ascii(text))
    return quoted


def plain(value: Any) -> Any:
    """A Python value as JSON would have it: numbers as `Number`, moments as ISO-8601 in UTC, or else without a zone.

    Bytes become text where they are UTF-8, and stay bytes where they are not.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    for types, convert in _PLAIN:
        if isinstance(value, types):
            return convert(value)
    return str(value)


def _float(value: float) -> Number:
    if math.isfinite(value):
        return Number(repr(float(value)))
    return Number("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _text(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (int, Number),
    (float, _float),
    (Decimal, lambda value: Number(format(value, "f")) if value.is_finite() else _float(float(value))),
    (datetime, _moment),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: _float(value.total_seconds())),
    (bytes, _text),
    (UUID, str),
    (dict, lambda value: {str(name): plain(part) for name, part in value.items()}),
    ((list, tuple, set), lambda value: [plain(part) for part in value]),
)
