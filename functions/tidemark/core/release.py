"""The formats of ledger items and documents: what this release reads, and what it leaves to a newer one. Pure.

An item or document has a `format`: the lowest number that a release must know to act on it. A release that only adds
an attribute, which an older one may ignore, keeps the number. Without a number it is 1. See docs/upgrading.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemark.core.errors import NewerRelease

#: The highest format that this release reads. It writes the lowest one that says what has to be said.
FORMAT = 1
#: The attribute or key that has the number.
FORMAT_NAME = "format"
#: What a person does about a newer one.
NEWER = "deploy the newer release again"


def is_newer_format(number: int) -> bool:
    """Whether only a newer release may act on an item or document of that format."""
    return number > FORMAT


def check_format(document: Mapping[str, Any], name: str) -> None:
    """Raises `NewerRelease` if a decoded document is of a format that this release does not know.

    Raises `TypeError` for JSON that is no object.
    """
    if not isinstance(document, Mapping):
        raise TypeError(f"{name} is no JSON object")
    number = document.get(FORMAT_NAME, 1)
    if not isinstance(number, int) or is_newer_format(number):
        raise NewerRelease(f"{name} is of format {number!r}, this release reads formats up to {FORMAT}: {NEWER}")
