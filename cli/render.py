"""How everything is printed: tables that fit, counts, sizes and colours; plain and whole lines in a pipe; JSON.

Untrusted text goes through `cli.text`: rich's markup and its `:emoji:` names mean nothing in it. `line` makes every
line, and every table is a `Sheet`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

from cli.text import name, visible
from tidemark.core.lifecycle import State

COLOURS = {State.LOADED: "green", State.EMPTY: "dim", State.SPLIT: "dim", State.QUARANTINED: "red"}
#: Columns of a pipe: nothing is folded or left out of it.
PIPE_WIDTH = 1_000_000
NOTHING = "–"
GAP = 2  # spaces between two columns of a table
FOLD_MIN = 14  # columns that a folded text needs to stay readable
LISTED = 10  # lines of a long list on the screen; the rest is counted

#: Untrusted text; (untrusted text, style); or what `line` has made of them.
Part = str | tuple[str, str] | Text
#: A row of a table for a program: snake_case keys, whole numbers, ISO times, null.
Record = Mapping[str, Any]


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────


def shortened(text: str, length: int, console: Console) -> str:
    """At most so many characters on a screen, an ellipsis for the rest; all of it in a pipe."""
    return text if len(text) <= length or not console.is_terminal else f"{text[: length - 1]}…"


def line(*parts: Part) -> Text:
    """The parts one after another, each printed as text."""
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
    """Print one line that a person may copy: no line break is added, however narrow the screen is."""
    console.print(line(*parts), soft_wrap=True)


def capped(lines: Sequence[Part], where: str) -> list[Part]:
    """The first lines of a list; the last one says how many more there are, and where."""
    rest = len(lines) - LISTED
    return [*lines[:LISTED], f"and {number(rest)} more, see {where}"] if rest > 0 else list(lines)


def in_one_piece(value: object) -> Text:
    """A cell that a person may copy, never folded, in a column that may be."""
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
    """1536 → 1.5 KB, in units of 1024."""
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TB"


def duration(value: timedelta) -> str:
    """90 seconds → 1.5 min; less than nothing is 0.0 s."""
    seconds = max(0.0, value.total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:,.1f} days"


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────

FIGURES = frozenset(
    {
        "attempt", "bytes", "customers", "due", "duplicates", "files", "kept", "lake", "pending", "read", "rejected",
        "rows", "warehouse",
    }
)  # fmt: skip
#: Columns with what a person copies into the next command: they stay in one piece.
COPIED = frozenset({"batch", "dataset", "period", "table"})


class Sheet:
    """A plain table. If it does not fit, texts are folded first, then whole columns are left out, and it says which.

    Figures and names to be copied are never folded or cut. Columns without a value are left out first, then `spare` in
    its order, then the others from the right. `whole` columns are not folded either; `figures` and `texts` overrule
    `FIGURES`. Cells are untrusted text unless they are `Text`.
    """

    def __init__(
        self,
        *columns: str,
        spare: Sequence[str] = (),
        whole: Iterable[str] = (),
        figures: Iterable[str] = (),
        texts: Iterable[str] = (),
    ) -> None:
        self._columns = columns
        self._spare = tuple(spare)
        self._figures = (FIGURES | set(figures)) - set(texts)
        self._unfolded = COPIED | self._figures | set(whole)
        self._rows: list[tuple[Text, ...]] = []
        self.records: list[Record] = []

    def add_record(self, record: Record, *cells: Part) -> None:
        """One row, for a program and for a person."""
        self.records.append(record)
        self.add_row(*cells)

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
        widths = self._widths(shown, width)
        for place in shown:
            title = self._columns[place]
            justify: JustifyMethod = "right" if title in self._figures else "left"
            table.add_column(line(title), justify=justify, overflow="fold", width=widths.get(place))
        for row in self._rows:
            table.add_row(*(row[place] for place in shown))
        return table

    def _fitting(self, width: int) -> list[int]:
        shown = list(range(len(self._columns)))
        for place in self._order_of_leaving():
            if self._width(shown) <= width:
                break
            shown.remove(place)
        for place in reversed(self._order_of_leaving()):  # where a wide column was left out, narrow ones may fit again
            if place not in shown and not self._is_empty(place) and self._width([*shown, place]) <= width:
                shown.append(place)
        return sorted(shown)

    def _widths(self, shown: Sequence[int], width: int) -> dict[int, int]:
        """The width of each column, the widest ones folded to an even width; none where not even that fits.

        Rich would fold a column that holds an id, keep the id whole all the same, and cut off the last column.
        """
        if self._width(shown) > width:
            return {}
        room = width - GAP * (len(shown) - 1)
        least, most = ({place: of(place) for place in shown} for of in (self._least, self._most))
        limit = max(most.values(), default=0)
        while True:
            widths = {place: max(least[place], min(most[place], limit)) for place in shown}
            if sum(widths.values()) <= room:
                return widths
            limit -= 1

    def _width(self, shown: Sequence[int]) -> int:
        """Screen columns that these columns need at least."""
        return sum(map(self._least, shown)) + GAP * (len(shown) - 1)

    def _least(self, place: int) -> int:
        if self._is_whole(place):
            return self._most(place)
        words = visible(self._columns[place]).split(" ")
        return max(min(self._widest(place), FOLD_MIN), self._in_one_piece(place), *map(cell_len, words))

    def _most(self, place: int) -> int:
        return max(self._widest(place), cell_len(visible(self._columns[place])))

    def _widest(self, place: int) -> int:
        return max((cell_len(row[place].plain) for row in self._rows), default=0)

    def _in_one_piece(self, place: int) -> int:
        return max((cell_len(row[place].plain) for row in self._rows if row[place].no_wrap), default=0)

    def _is_empty(self, place: int) -> bool:
        return all(row[place].plain in ("", NOTHING) for row in self._rows)

    def _is_whole(self, place: int) -> bool:
        return self._columns[place] in self._unfolded

    def _order_of_leaving(self) -> list[int]:
        """Every column but the first, the least needed first."""
        places = range(1, len(self._columns))
        empty = [place for place in places if self._is_empty(place)]
        spare = [place for title in self._spare for place in places if self._columns[place] == title]
        return list(dict.fromkeys([*empty, *spare, *reversed(places)]))


# ── the terminal ────────────────────────────────────────────────────────────────────────────────────────────


class Output(Console):
    """The command's console. With `json`, tables go there as JSON, and the console itself is standard error."""

    json: TextIO | None = None

    def on_broken_pipe(self) -> None:
        """Leave the error to the command; rich would exit."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


def open_console(stream: TextIO | None = None, as_json: bool = False) -> Console:
    """A console for standard output: as wide as the screen with colours, or plain and unlimited in a pipe.

    `NO_COLOR` switches all styles off. What the stream's encoding lacks is printed as an escape. With `as_json` only
    JSON goes to standard output.
    """
    console = _console(stream or (sys.stderr if as_json else sys.stdout))
    console.json = sys.stdout if as_json else None
    return console


def _console(stream: TextIO) -> Output:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    if stream.isatty():
        colours = None if os.environ.get("NO_COLOR") else "auto"
        return Output(file=stream, highlight=False, color_system=colours)  # type: ignore[arg-type]
    return Output(file=stream, highlight=False, color_system=None, force_terminal=False, width=PIPE_WIDTH)


def wants_json(console: Console) -> bool:
    """Whether the command was given `--json`."""
    return isinstance(console, Output) and console.json is not None


def show_json(console: Console, document: object) -> None:
    """Print one JSON document, in ASCII: JSON's own escapes stand for what a terminal would obey."""
    assert isinstance(console, Output)
    assert console.json
    console.json.write(f"{json.dumps(document, indent=2)}\n")


def show_table(console: Console, table: Sheet, instead: str = "") -> None:
    """Print a table, or the sentence `instead` of one without rows; its records as a list where JSON is wanted."""
    if wants_json(console):
        show_json(console, table.records)
    elif table.row_count or not instead:
        console.print(table)
    else:
        say(console, instead)
