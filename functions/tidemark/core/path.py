"""The path to the records inside a JSON object: the subset of RFC 9535's JSONPath that names members and elements.

Examples: `Records[*]`, `$.Records[*]`, `Item`, `['detail-type'].events[0]`. Filters, slices and `..` are not supported.
A string on the path is parsed as JSON by the reader in the Spark job.
"""

from __future__ import annotations

import re
from typing import Optional, Union

#: A member's name, an element's index, or None for all elements.
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
    """The steps of a path such as `Records[*]`. Raises `ValueError` with what was expected and what was found."""
    rest = text.strip()
    rest = rest[1:] if rest.startswith("$") else rest if rest.startswith("[") else f".{rest}"
    steps: list[Step] = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if not match:
            raise ValueError(f"expected .name, ['name'], [0] or [*], found {rest[position:]!r}")
        steps.append(_step(match))
        position = match.end()
    if not steps or not isinstance(steps[0], str):
        raise ValueError(
            f"expected a path that begins with a member's name (arrays around records are read without), found {text!r}"
        )
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["every"] or match["all"]:
        return None
    if match["index"]:
        return int(match["index"])
    quoted = match["single"] if match["single"] is not None else match["double"]
    return match["member"] if quoted is None else _ESCAPE.sub(_unescaped, quoted)


def _unescaped(escape: re.Match[str]) -> str:
    code, letter = escape.groups()
    return chr(int(code, 16)) if code else _CONTROLS.get(letter, letter)


def written_path(path: Path) -> str:
    """The text of a path; the inverse of `parse_path`."""
    return "".join(map(_written, path)).lstrip(".")


def _written(step: Step) -> str:
    if isinstance(step, str):
        escaped = step.replace("\\", "\\\\").replace("'", "\\'")
        return f".{step}" if _PLAIN.fullmatch(step) else f"['{escaped}']"
    return "[*]" if step is None else f"[{step}]"
