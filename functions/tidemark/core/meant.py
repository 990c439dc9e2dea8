"""The word that was probably meant, for messages about one that is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def meant(found: object, known: Iterable[str]) -> str:
    """` (did you mean x?)`, or nothing where no known word is like it."""
    close = get_close_matches(found.lower(), list(known), 1) if isinstance(found, str) else []
    return f" (did you mean {close[0]}?)" if close else ""
