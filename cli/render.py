"""How everything is printed: untrusted text as text, tables that fit, plain and whole lines in a pipe.

Names of files, records, reasons and rows come from outside. They are printed by `visible` alone: rich's markup and its
`:emoji:` names mean nothing in them, and what a terminal would obey (ESC, carriage return, bidi overrides) is shown as
an escape. Every line is put together by `line`, every table is a `Sheet`.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

from tidemark.core.lifecycle import State

COLOURS = {State.LOADED: "green", State.EMPTY: "dim", State.SPLIT: "dim", State.QUARANTINED: "red"}
#: Columns of a pipe: nothing is folded or left out of it.
PIPE_WIDTH = 1_000_000
NOTHING = "–"
GAP = 2  # spaces between two columns of a table
FOLD_MIN = 14  # columns that a text needs to be read when it is folded
LISTED = 10  # of a long list on the screen; the rest is counted

NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Controls, format characters (bidi overrides, zero-width), surrogates, line and paragraph separators.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: Bytes of a file name that are not UTF-8, as Python hands them over.
FOREIGN_BYTES = range(0xDC80, 0xDD00)
_MARKS = frozenset({"Mn", "Mc", "Me"})

#: Untrusted text; (untrusted text, style); or what `line` has made of them.
Part = str | tuple[str, str] | Text


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────


def visible(value: object) -> str:
    """The value in one line in which nothing moves the cursor, changes colours, or hides: escapes stand for it."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    first = _escape(text[0]) if text and unicodedata.category(text[0]) in _MARKS else None
    shown = "".join(_escape(one) if unicodedata.category(one) in HIDDEN else one for one in text)
    return shown if first is None else first + shown[1:]  # a mark would sit on whatever is printed before it


def name(value: object) -> str:
    """`visible` for a file's name, where blanks at either end count and would not be seen."""
    text = visible(value)
    bare = text.strip(" ")
    before = len(text) - len(text.lstrip(" ")) if bare else 0
    return "\\x20" * before + bare + "\\x20" * (len(text) - len(bare) - before)


def _escape(one: str) -> str:
    code = ord(one)
    if code in FOREIGN_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return NAMED.get(one, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def shortened(text: str, length: int, console: Console) -> str:
    """At most so many characters on a screen, an ellipsis for the rest; all of it in a pipe."""
    return text if len(text) <= length or not console.is_terminal else f"{text[: length - 1]}…"


def line(*parts: Part) -> Text:
    """The parts behind one another, each printed as text."""
    whole = Text(overflow="fold")
    for part in parts:
        if isinstance(part, Text):
            whole.append_text(part)
        elif isinstance(part, str):
            whole.append(visible(part))
        else:
            whole.append(visible(part[0]), part[1])
    return whole


def say(console: Console, *parts: Part) -> None:
    """Print one line of prose; a screen wraps it between words."""
    console.print(line(*parts))


def say_whole(console: Console, *parts: Part) -> None:
    """Print one line that somebody may copy: it has no line breaks of ours, however narrow the screen is."""
    console.print(line(*parts), soft_wrap=True)


def capped(lines: Sequence[Part], where: str) -> list[Part]:
    """The first lines of a list; the last one says how many more there are, and where."""
    rest = len(lines) - LISTED
    return [*lines[:LISTED], f"and {number(rest)} more, see {where}"] if rest > 0 else list(lines)


def in_one_piece(value: object) -> Text:
    """A cell that somebody may copy, in a column that is folded elsewhere."""
    whole = line(name(value))
    whole.no_wrap = True
    return whole


def state(which: State) -> Text:
    """A state in its colour."""
    return Text(str(which), COLOURS.get(which, "cyan"))


def number(value: int) -> str:
    """1234567 → 1,234,567."""
    return f"{value:,}"


def plural(value: int, noun: str) -> str:
    """1 file, 2 files, 2 batches."""
    ending = "" if value == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number(value)} {noun}{ending}"


def size(value: float) -> str:
    """Bytes for a person."""
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TB"


def duration(value: timedelta) -> str:
    """A time span for a person."""
    seconds = max(0.0, value.total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:,.1f} days"


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────

FIGURES = frozenset(
    {
        "attempt", "bytes", "customers", "due", "files", "kept", "lake", "pending", "read", "rejected", "repeated",
        "rows", "warehouse",
    }
)  # fmt: skip
#: What is copied from here into the next command stays in one piece.
COPIED = frozenset({"batch", "dataset", "period", "table"})


class Sheet:
    """A plain table. Where it does not fit, texts are folded first, then whole columns are left out, and it says which.

    Figures and names to be copied are never folded or cut. Columns without a value go first, then `spare` in its order,
    then what stands to the right. Cells are untrusted text unless they are `Text`.
    """

    def __init__(
        self, *columns: str, spare: Sequence[str] = (), whole: Iterable[str] = (), figures: Iterable[str] = ()
    ) -> None:
        self._columns = columns
        self._spare = tuple(spare)
        self._figures = FIGURES | set(figures)
        self._unfolded = COPIED | self._figures | set(whole)
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: Part) -> None:
        """One row, a cell for each column."""
        self._rows.append(tuple(cell if isinstance(cell, Text) else line(cell) for cell in cells))

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The columns that fit, and a note on those that do not."""
        shown = self._fitting(options.max_width)
        yield self._table(shown, options.max_width)
        left_out = [visible(title) for place, title in enumerate(self._columns) if place not in shown]
        if left_out:
            note = f"not shown in {options.max_width} columns: {', '.join(left_out)} (a wider screen or a pipe has all)"
            yield Text(note, "dim", overflow="fold")

    def _table(self, shown: Sequence[int], width: int) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        fits = self._width(shown) <= width
        for place in shown:
            title = self._columns[place]
            justify: JustifyMethod = "right" if title in self._figures else "left"
            whole = fits and self._is_whole(place)
            least = self._in_one_piece(place) if fits else None
            table.add_column(line(title), justify=justify, overflow="fold", no_wrap=whole, min_width=least)
        for row in self._rows:
            table.add_row(*(row[place] for place in shown))
        return table

    def _fitting(self, width: int) -> list[int]:
        shown = list(range(len(self._columns)))
        for place in self._order_of_leaving():
            if self._width(shown) <= width:
                break
            shown.remove(place)
        for place in reversed(self._order_of_leaving()):  # a wide column has left, and narrow ones may come back
            if place not in shown and not self._is_empty(place) and self._width([*shown, place]) <= width:
                shown.append(place)
        return sorted(shown)

    def _width(self, shown: Sequence[int]) -> int:
        """Screen columns that these columns need at least."""
        return sum(self._least(place) for place in shown) + GAP * (len(shown) - 1)

    def _least(self, place: int) -> int:
        widest = max((cell_len(row[place].plain) for row in self._rows), default=0)
        title = visible(self._columns[place])
        if self._is_whole(place):
            return max(widest, cell_len(title))
        return max(min(widest, FOLD_MIN), self._in_one_piece(place), *map(cell_len, title.split(" ")))

    def _in_one_piece(self, place: int) -> int:
        return max((cell_len(row[place].plain) for row in self._rows if row[place].no_wrap), default=0)

    def _is_empty(self, place: int) -> bool:
        return all(row[place].plain in ("", NOTHING) for row in self._rows)

    def _is_whole(self, place: int) -> bool:
        return self._columns[place] in self._unfolded

    def _order_of_leaving(self) -> list[int]:
        """Every column but the first, the least needed one first."""
        places = range(1, len(self._columns))
        empty = [place for place in places if self._is_empty(place)]
        spare = [place for title in self._spare for place in places if self._columns[place] == title]
        return list(dict.fromkeys([*empty, *spare, *reversed(places)]))


# ── the terminal ────────────────────────────────────────────────────────────────────────────────────────────


class Output(Console):
    """The console of the command. A reader who has gone is the command's to deal with, not rich's."""

    def on_broken_pipe(self) -> None:
        """Let the error through."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


def open_console(stream: TextIO | None = None) -> Console:
    """A console for standard output: as wide as the screen with colours, or plain and unlimited in a pipe.

    `NO_COLOR` switches all styles off. What the stream's encoding lacks is printed as an escape.
    """
    stream = stream or sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    if stream.isatty():
        colours = None if os.environ.get("NO_COLOR") else "auto"
        return Output(file=stream, highlight=False, color_system=colours)  # type: ignore[arg-type]
    return Output(file=stream, highlight=False, color_system=None, force_terminal=False, width=PIPE_WIDTH)


_ENDS = re.compile(r"\s*[\r\n]+\s*")


def one_line(error: object) -> str:
    """An error's text in one visible line."""
    return visible(_ENDS.sub(" ", str(error).strip()))
