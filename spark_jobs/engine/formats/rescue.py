"""Keeps a record's undeclared fields as the text of a JSON object. Pure.

Values come from the exact scanner or from another format's library; `plain` converts the latter to the former. Numbers
keep their spelling, and fields their order.
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

from spark_jobs.engine.formats.checks import UnfitError
from spark_jobs.engine.formats.paths import Tree, left_of
from spark_jobs.engine.formats.scanner import BETWEEN, Number, read_value
from tidemark.core.dataset import RESCUED_BYTES_MAX

#: Maximum nesting of lists and objects, far below the recursion limit of any supported Python.
DEPTH_MAX = 200
#: A decimal with more leading or trailing zeros than this is written with an exponent.
_ZEROS_MAX = 400


def rescued(unknown: Mapping[str, Any]) -> Optional[str]:
    """The fields as JSON, or None if there are none; `UnfitError` if the JSON is too long for the column."""
    if not unknown:
        return None
    text = written(dict(unknown))
    size = len(text) if text.isascii() else len(text.encode())
    if size > RESCUED_BYTES_MAX:
        raise UnfitError(f"unknown fields: {size} bytes, at most {RESCUED_BYTES_MAX}")
    return text


def rescued_of_objects(text: str, known: Tree, *, strangers: bool = True) -> list[Optional[str]]:
    """`rescued` for each of the concatenated objects in the text; `known` is what fields take of each.

    Raises `json.JSONDecodeError` for anything but objects, and `UnfitError` as `rescued` does. Without `strangers`,
    also raises `UnfitError` for an object without a known field.
    """

    @lru_cache(1_024)  # most records have the same fields as the previous one
    def unknown(*names: str) -> tuple[str, ...]:
        if not strangers and known.keys().isdisjoint(names):
            raise UnfitError("no declared field")
        return tuple(name for name in names if known.get(name, {}) is not None)

    nested = any(below is not None for below in known.values())
    texts: list[Optional[str]] = []
    at, space = 0, BETWEEN.match
    while True:
        at = space(text, at).end()  # type: ignore[union-attr]  # also matches the empty text
        if at == len(text):
            return texts
        value, at = read_value(text, at)
        rest = {name: value[name] for name in unknown(*value)}
        texts.append(rescued((left_of(rest, known) or {}) if rest and nested else rest))


def written(value: Any) -> str:
    """A value as JSON; `UnfitError` if it is nested too deeply."""
    return _written(value, 0)


def _written(value: Any, depth: int) -> str:
    if isinstance(value, Number):  # NaN and Infinity are not valid JSON
        return value if value[-1].isdigit() else f'"{value}"'
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (dict, list)) and depth == DEPTH_MAX:
        raise UnfitError("nested too deeply")
    if isinstance(value, dict):
        return "{" + ",".join([f"{_quoted(name)}:{_written(part, depth + 1)}" for name, part in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_written(part, depth + 1) for part in value]) + "]"
    if isinstance(value, bytes):
        return f'"{_base64(value)}"'
    return json.dumps(value)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _quoted(text: str) -> str:
    quoted: str = encode_basestring(text)
    if not quoted.isascii():
        try:
            quoted.encode()
        except UnicodeEncodeError:  # an unpaired surrogate, which only an escape can represent
            return str(encode_basestring_ascii(text))
    return quoted


def plain(value: Any) -> Any:
    """A Python value as in JSON: numbers as `Number`, timestamps as ISO-8601, in UTC if they have a zone.

    Bytes become text if they are UTF-8, else they stay bytes. A list of pairs becomes an object.
    """
    return _plain(value, 0)


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (dict, list, tuple, set)):
        return _nested(value, depth)
    for types, convert in _PLAIN:
        if isinstance(value, types):
            return convert(value)
    return str(value)


def _nested(value: Any, depth: int) -> Any:
    if depth > DEPTH_MAX:  # the value is not needed, because `written` rejects this depth
        return []
    if isinstance(value, list) and value and all(isinstance(part, tuple) and len(part) == 2 for part in value):
        value = dict((_key(name), part) for name, part in value)  # noqa: C402 -- a comprehension cannot call _key on unhashable names first
    if isinstance(value, dict):
        return {_key(name): _plain(part, depth + 1) for name, part in value.items()}
    return [_plain(part, depth + 1) for part in value]


def _key(name: Any) -> str:
    """A map's key as text: the JSON of the value without quotes."""
    if isinstance(name, str) and name.isascii():
        return name
    key = plain(name)
    if isinstance(key, str):
        return str(key)
    return _base64(key) if isinstance(key, bytes) else written(key)


def _float(value: float) -> Number:
    if math.isfinite(value):
        return Number(repr(float(value)))
    return Number("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")


def _timestamp(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _decimal(value: Decimal) -> Number:
    if not value.is_finite():
        return _float(float("nan") if value.is_nan() else float(value))
    return Number(format(value, "f") if -_ZEROS_MAX <= value.as_tuple().exponent <= _ZEROS_MAX else str(value))  # type: ignore[operator]


def _decoded(value: str) -> Any:
    """The text, or its bytes if `surrogateescape` has replaced invalid UTF-8 in it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape")
    return value


def _text(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, _decoded),
    (int, lambda value: Number(Decimal(value))),  # str(value) is limited to 4,300 digits
    (float, _float),
    (Decimal, _decimal),
    (datetime, _timestamp),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: _float(value.total_seconds())),
    (bytes, _text),
    (UUID, str),
)
