"""Suggestions for words that are unknown."""

from __future__ import annotations

import pytest

from tidemark.core.suggestions import did_you_mean


@pytest.mark.parametrize(
    ("written", "suggested"),
    [
        ("strin", " (did you mean string?)"),
        ("BIGINT", " (did you mean bigint?)"),
        ("xyzzy", ""),
        ("", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_the_word_most_alike_is_suggested(written: object, suggested: str) -> None:
    """In any case of letters; nothing where no word is alike, or where no word was written."""
    assert did_you_mean(written, ["string", "bigint", "date"]) == suggested
