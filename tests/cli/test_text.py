"""Untrusted text is one visible line."""

from __future__ import annotations

import pytest
from hypothesis import given

from cli.text import name, visible
from tests.cli.nasty import is_plain, texts


@given(texts)
def test_no_text_moves_a_cursor_or_hides(text: str) -> None:
    """Any text becomes one line that a terminal shows character by character, in valid UTF-8."""
    shown = visible(text)
    assert is_plain(shown)
    assert "\n" not in shown
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web_logs/é 名.json", "web_logs/é 名.json"),
        ("new\nline", "new\\nline"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b", "\\u009b"),
        ("a\u202eb", "a\\u202eb"),
        ("\U000e0041", "\\U000e0041"),
        ("bad\udcff", "bad\\xff"),
        ("\ud800", "\\ud800"),
        ("\u0301x", "\\u0301x"),
        ("e\u0301", "e\u0301"),
        ("[red]", "[red]"),
    ],
)
def test_what_would_be_obeyed_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Letters of every script stay, and controls become escapes, like a mark with no letter before it."""
    assert visible(text) == shown


@pytest.mark.parametrize(("key", "shown"), [("a ", "a\\x20"), ("  a b", "\\x20\\x20a b"), (" ", "\\x20"), ("", "")])
def test_blanks_at_the_ends_of_a_name_are_seen(key: str, shown: str) -> None:
    """Blanks at either end of a name become escapes: `a ` and `a` are two keys."""
    assert name(key) == shown
