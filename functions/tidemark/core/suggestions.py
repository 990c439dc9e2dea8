"""Suggestions in error messages: the known word that is closest to an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(unknown: object, known: Iterable[str]) -> str:
    """` (did you mean x?)`, or an empty text where no known word is similar."""
    close = get_close_matches(unknown.lower(), list(known), 1) if isinstance(unknown, str) else []
    return f" (did you mean {close[0]}?)" if close else ""
