"""Values on the command line: each reader takes a word and returns a value, or says what it expected and found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.text import one_line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COUNT_MAX = 1_000_000_000
DAYS_MAX = 3_650


class Value(click.ParamType):
    """A parameter's type, made from a reader; a shell completes it with files or folders if it `completes` so."""

    def __init__(self, name: str, read: Callable[[str], object], completes: str = "") -> None:
        self.name = name
        self._read = read
        self._completes = completes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of a word; a default is a value already."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, _: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The shell itself lists files and folders."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type=self._completes)] if self._completes else []


def text(word: str) -> str:
    """Text that can be sent to AWS: valid UTF-8."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise ValueError(f"expected UTF-8, found {one_line(word)}") from None
    return word


def folder(word: str) -> Path:
    """A folder by its name. An empty name, as of an unset variable, does not mean the working directory."""
    if not word:
        raise ValueError("expected a folder, found an empty name")
    return Path(word)


def new_folder(word: str) -> Path:
    """A folder for results. Its name goes into catalogs, so it must be UTF-8."""
    return folder(text(word))


def port(word: str) -> int:
    """A port; 0 stands for any free one."""
    return _whole(word, 0, 65_535, "a port from 0 to 65535")


def count(word: str) -> int:
    """A whole number from 1."""
    return _whole(word, 1, COUNT_MAX, "a whole number from 1")


def seconds(word: str) -> int:
    """A whole number of seconds, from 0 to a day."""
    return _whole(word, 0, 86_400, "a whole number of seconds from 0 to 86400")


def days(word: str) -> int:
    """A number of days, from 1 to ten years."""
    return _whole(word, 1, DAYS_MAX, f"a number of days from 1 to {DAYS_MAX}")


def seed(word: str) -> int:
    """Any whole number."""
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"expected a whole number, found {word!r}") from None


def moment(word: str) -> datetime:
    """A time; UTC unless it has an offset."""
    try:
        time = datetime.fromisoformat(word)
    except ValueError:
        raise ValueError(f"expected a time such as 2026-11-21 or 2026-11-21T08:00, found {word!r}") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def day(word: str) -> date:
    """A date."""
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise ValueError(f"expected a date such as 2026-11-20, found {word!r}") from None


def _whole(word: str, least: int, most: int, expected: str) -> int:
    """The number, if it is written in plain digits and lies in the range."""
    digits = word if word.isascii() and word.isdigit() and len(word) < 20 else ""
    if not digits or not least <= int(digits) <= most:
        raise ValueError(f"expected {expected}, found {word!r}")
    return int(digits)
