"""Strings that a terminal would obey, that markup would swallow, or that hide; and what must be true of any output."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

NASTY = (
    "[/x]", "[red]", "[bold]on[/bold] [/]", "[link=https://example.com]here", ":smile:", "\\[x]",
    "a\nb", "a\r\nb", "tab\there", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "\x00", "\x7f", "back\x08\x08",
    "\u202eexe.nosj", "\u2066hidden\u2069", "zero\u200bwidth", "\ufeffmark", "line\u2028two", "\u0301on its own",
    "名前" * 30, "e\u0301" * 40, "👩‍👩‍👧", "\ud800 alone", "bad\udcff.json", " both ends ", "{x} %s $(id)", "-" * 300,
)  # fmt: skip
texts = st.sampled_from(NASTY) | st.text(max_size=60)


def is_plain(text: str) -> bool:
    """Whether a terminal would show every character of the text as it is, line by line."""
    return not any(unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") for one in text if one != "\n")
