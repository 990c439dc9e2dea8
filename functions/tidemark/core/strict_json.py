"""Parses untrusted JSON: refuses what JSON readers interpret differently, and nesting beyond a limit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

DIGITS_MAX = 100  # of an integer; Python takes a second to parse a million digits
#: Strings and brackets. Strings are matched so that brackets inside them do not count.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def strict_loads(text: str, depth_max: int) -> object:
    """The value of a JSON text.

    Raises `ValueError` with one line that says what was found: invalid JSON, more than `depth_max` levels of nesting, a
    key twice in one object, NaN or an infinity, an integer of too many digits, or a number too large for a double.
    """
    _check_depth(text, depth_max)
    value: object = json.loads(
        text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_float, parse_int=_int
    )
    return value


def _check_depth(text: str, depth_max: int) -> None:
    depth = 0
    for token in _TOKENS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > depth_max:
            raise ValueError(f"more than {depth_max} levels of nesting at character {token.start()}")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"the key {json.dumps(key[:60])} twice in one object")
        members[key] = value
    return members


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name}, which is not a JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a number too large: {text[:60]}")
    return value


def _int(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)
