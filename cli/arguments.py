"""What the parser takes: usage errors in one line, and values that are what they should be."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cli.render import one_line

NOT_POSSIBLE = 2  # exit status
COUNT_MAX = 1_000_000_000
DAYS_MAX = 3_650


class Parser(argparse.ArgumentParser):
    """Usage errors in one line, help as it was written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> None:  # type: ignore[override]
        """Say what is wrong and where help is; exit status 2."""
        self.exit(NOT_POSSIBLE, f"{self.prog}: {one_line(message)} (see `{self.prog} --help`)\n")


def text(found: str) -> str:
    """Text that AWS can be sent; bytes that are not UTF-8 cannot."""
    try:
        found.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"expected UTF-8, found {one_line(found)}") from None
    return found


def folder(found: str) -> Path:
    """A folder by its name; an empty one, as of a variable that is not set, is not the working directory."""
    if not found:
        raise argparse.ArgumentTypeError("expected a folder, found an empty name")
    return Path(found)


def new_folder(found: str) -> Path:
    """A folder for results, whose name goes into catalogs: UTF-8."""
    return folder(text(found))


def _whole(text: str, least: int, most: int, what: str) -> int:
    """The number, if it is written in plain digits and lies in the range."""
    digits = text if text.isascii() and text.isdigit() and len(text) < 20 else ""
    if not digits or not least <= int(digits) <= most:
        raise argparse.ArgumentTypeError(f"expected {what}, found {text!r}")
    return int(digits)


def port(text: str) -> int:
    """A port; 0 stands for any free one."""
    return _whole(text, 0, 65_535, "a port from 0 to 65535")


def count(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1, COUNT_MAX, "a whole number from 1")


def seconds(text: str) -> int:
    """A whole number of seconds, from none to a day."""
    return _whole(text, 0, 86_400, "a whole number of seconds from 0 to 86400")


def days(text: str) -> int:
    """A number of days, from 1 to ten years."""
    return _whole(text, 1, DAYS_MAX, f"a number of days from 1 to {DAYS_MAX}")


def moment(text: str) -> datetime:
    """A time; UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a time such as 2026-11-21 or 2026-11-21T08:00, found {text!r}"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def day(text: str) -> date:
    """A date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a date such as 2026-11-20, found {text!r}") from None
