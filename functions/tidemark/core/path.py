"""Where in an object its records are: a path of RFC 9535's JSONPath, as far as a path goes that only points.

Shapes: `Records[*]`, `$.Records[*]`, `Item`, `['detail-type'].events[0]`. Filters, slices and `..` are not for finding
records. Where a text stands on the way, it is read as JSON; that is the reader's affair.
"""

from __future__ import annotations

import re
from typing import Optional, Union

#: A member's name, an index, or None for every element.
Step = Optional[Union[str, int]]
Path = tuple[Step, ...]

_PLAIN = re.compile(r"[^\W\d]\w*")
_STEP = re.compile(
    r"""\.(?:(?P<member>[^\W\d]\w*)|(?P<all>\*))
    |\[\s*(?:(?P<index>0|-?[1-9][0-9]{0,8})|(?P<every>\*)|'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\s*\]""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def parse_path(text: str) -> Path:
    """`"Records[*]"` → its steps; `ValueError` saying what was expected and what stands there instead."""
    rest = text.strip()
    rest = rest[1:] if rest.startswith("$") else rest if rest.startswith("[") else f".{rest}"
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if not found:
            raise ValueError(f"expected .name, ['name'], [0] or [*], found {rest[at:]!r}")
        steps.append(_step(found))
        at = found.end()
    if not steps or not isinstance(steps[0], str):
        raise ValueError(
            f"expected a path that begins with a member's name (arrays around records are read without), found {text!r}"
        )
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["every"] or found["all"]:
        return None
    if found["index"]:
        return int(found["index"])
    quoted = found["single"] if found["single"] is not None else found["double"]
    return found["member"] if quoted is None else _ESCAPE.sub(_unescaped, quoted)


def _unescaped(escape: re.Match[str]) -> str:
    code, letter = escape.groups()
    return chr(int(code, 16)) if code else _CONTROLS.get(letter, letter)


def written_path(path: Path) -> str:
    """The steps as a declaration writes them."""
    return "".join(map(_written, path)).lstrip(".")


def _written(step: Step) -> str:
    if isinstance(step, str):
        escaped = step.replace("\\", "\\\\").replace("'", "\\'")
        return f".{step}" if _PLAIN.fullmatch(step) else f"['{escaped}']"
    return "[*]" if step is None else f"[{step}]"
