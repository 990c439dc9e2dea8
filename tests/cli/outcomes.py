"""What a command leaves: what it prints, the one line of a refusal, what is in a folder."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from cli.main import main
from cli.render import PIPE_WIDTH
from tests.cli.nasty import is_plain

WIDTHS = (40, 120)


def printed(command: Callable[[Console], object], width: int = 120) -> str:
    """What a command prints on a screen of that width with colours on, styles left out."""
    text = io.StringIO()
    command(Console(file=text, width=width, highlight=False))
    return text.getvalue()


def checked(command: Callable[[Console], object], *expected: str) -> None:
    """The command prints plain lines that fit every screen; a pipe has what is expected in full."""
    for width in WIDTHS:
        shown = printed(command, width)
        assert is_plain(shown)
    piped = printed(command, PIPE_WIDTH)
    assert is_plain(piped)
    assert [text for text in expected if text not in piped] == []


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a wrong command gets."""
    status = main(arguments)
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert is_plain(said.err)
    return said.err


def everything(folder: Path) -> list[str]:
    """Every path below a folder; links are not followed."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
