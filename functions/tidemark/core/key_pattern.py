"""Values in an object's key: `dt={day}/hour={hour}` finds 2026-11-20 and 07 in `logs/dt=2026-11-20/hour=07/a.gz`. Pure.

A pattern is literal text with names in braces. It may begin at any folder of the key; a name stands for one or more
characters of one folder's or the file's name. Hive writes special characters as %XX, and a name for null.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Optional
from urllib.parse import unquote

#: What Hive and Spark write for a null.
NULL = "__HIVE_DEFAULT_PARTITION__"
_NAME = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def check_pattern(pattern: str, name: str) -> None:
    """Raises `ValueError` unless the pattern has that name once, and something that shows where each value ends."""
    literal = _NAME.split(pattern)[::2]
    names = _NAME.findall(pattern)
    if any("{" in part or "}" in part for part in literal):
        raise ValueError("names in braces, such as dt={day}")
    if names.count(name) != 1 or len(set(names)) < len(names):
        raise ValueError(f"each name once, and {{{name}}} among them, which is the value")
    if any(not part for part in literal[1:-1]):
        raise ValueError("some text between two names")


def value_in_key(pattern: str, name: str, key: str) -> Optional[str]:
    """The text that a name of the pattern stands for; None if the key does not match, or says null."""
    found = _compiled(pattern).search(key) if pattern else None
    value = unquote(found[name]) if found else None
    return None if value == NULL else value


@lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = _NAME.split(pattern)
    texts = [re.escape(part) if at % 2 == 0 else f"(?P<{part}>[^/]+?)" for at, part in enumerate(parts)]
    ends_with_name = not parts[-1]
    return re.compile(f"(?:^|/){''.join(texts)}{'(?=/|$)' if ends_with_name else ''}")
