"""A value that is not what was expected is one line that says so."""

from __future__ import annotations

import pytest

from tests.cli.outcomes import refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["batches", "--limit", "²"], "expected a whole number from 1, found '²'"),
        (["batches", "--limit", "9" * 5000], "expected a whole number from 1"),
        (["traffic", "out", "--days", "1000000"], "expected a number of days from 1 to 3650"),
        (["local", "up", "--port", "-1"], "expected a port from 0 to 65535"),
        (["explain", "s3://b/bad\udcff"], "expected UTF-8, found s3://b/bad\\xff"),
        (["nightly", "run", "--date", "2026-02-30"], "expected a date such as 2026-11-20"),
        (["\x1b[31mfly"], "expected a command, found '\\x1b[31mfly'"),
        (["status", "a\nb\x1b[31m"], "expected no more arguments, found 'a\\nb\\x1b[31m'"),
        (["validate", "nowhere"], "expected a folder of declarations, found no folder nowhere"),
        (["validate", __file__], "expected a folder of declarations, found no folder"),
        (["local", "run", __file__, "--out", "out"], "expected a folder of files to land, found no folder"),
        (["traffic", __file__], "expected a folder to write into, found the file"),
    ],
)
def test_what_cannot_be_meant_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that makes no sense is answered with what was expected and what was found, escapes included."""
    assert message in refused(words, capsys)


@pytest.mark.parametrize(
    "words", [["demo", "--out", ""], ["local", "run", "", "--out", "x"], ["traffic", ""], ["validate", ""]]
)
def test_an_empty_name_is_not_the_working_directory(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An empty name, as an unset shell variable gives it, is refused."""
    assert "expected a folder, found an empty name" in refused(words, capsys)
