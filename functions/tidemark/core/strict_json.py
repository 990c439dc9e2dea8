"""JSON from strangers: only what every reader understands alike, and only as deep as it needs to be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

DIGITS_MAX = 100  # of a whole number; Python takes a second for a million of them
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)  # texts, so that brackets within them do not count


def strict_loads(text: str, depth_max: int) -> object:
    """The value of a JSON text.

    Raises ValueError, which says in one line what was found: no JSON, an object or list more than `depth_max` levels
    deep, a key twice in one object, NaN or an infinity, or a number that no double holds.
    """
    _check_depth(text, depth_max)
    value: object = json.loads(
        text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_float, parse_int=_int
    )
    return value


def _check_depth(text: str, depth_max: int) -> None:
    depth = 0
    for mark in _MARKS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0)
        if depth > depth_max:
            raise ValueError(f"more than {depth_max} levels of nesting at character {mark.start()}")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {json.dumps(key[:60])} twice in one object")
        found[key] = value
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name}, which is no number of JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a number too large: {text[:60]}")
    return value


def _int(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)
