"""Tables lose nothing in silence, and every stream gets what it can show."""

from __future__ import annotations

import io
import os
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from cli.render import PIPE_WIDTH, Sheet, capped, in_one_piece, line, open_console, say_whole, shortened
from cli.text import visible
from tests.cli.nasty import NASTY, is_plain, texts
from tests.cli.outcomes import printed


class Screen(io.StringIO):
    """A terminal that records what it is sent."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@given(st.lists(st.lists(texts, min_size=4, max_size=4), max_size=4), st.integers(10, 200))
def test_a_table_fits_its_screen_and_keeps_figures_whole(rows: list[list[str]], width: int) -> None:
    """No line is wider than the screen, and each figure is there in one piece, or its column is named as left out."""
    figures = [f"{10**place + 7:,}" for place in range(len(rows))]
    table = Sheet("file", "reason", "read", "raw", "state", whole=("state",))
    for (file, reason, raw, state), figure in zip(rows, figures, strict=True):
        table.add_row(file, reason, figure, raw, state)
    text = printed(lambda console: console.print(table), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert is_plain(text)
    note = "".join(text.split()).rpartition(f"notshownin{width}columns:")[2]
    left_out = note.partition("(awider")[0].split(",") if len(note) < len("".join(text.split())) else []
    assert "read" in left_out or all(figure in text for figure in figures)


@given(st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=3), st.integers(10, 200))
def test_no_character_of_a_column_that_is_shown_is_lost(rows: list[list[str]], width: int) -> None:
    """A column with an id in one piece cuts nothing off the columns after it."""
    batch = "web_logs.20261121T082745.24da8be2"
    table = Sheet("what", "name", "reason", "files", whole=("what",))
    for what, reason, files in rows:
        table.add_row(what[:9], in_one_piece(batch), reason, files)
    shown = table._fitting(width)
    rendered = printed(lambda console: console.print(table._table(shown, width)), width)
    cells = [[visible(what[:9]), batch, visible(reason), visible(files)] for what, reason, files in rows]
    titles = ["what", "name", "reason", "files"]
    expected = "".join(row[place] for row in [titles, *cells] for place in shown)
    assert Counter("".join(rendered.split())) == Counter("".join(expected.split()))


@given(st.lists(texts, min_size=3, max_size=3))
def test_a_pipe_gets_every_column_whole_on_one_line(cells: list[str]) -> None:
    """In a pipe each row is one line; nothing is folded, cut or left out."""
    table = Sheet("file", "reason", "read", spare=("reason",))
    table.add_row(*cells)
    lines = printed(lambda console: console.print(table), PIPE_WIDTH).splitlines()
    assert len(lines) == 2
    assert all(visible(cell).strip() in lines[1] for cell in cells)


def test_columns_leave_in_the_order_given_and_are_named() -> None:
    """Empty columns are left out first, then spare ones, then from the right; the first column stays."""
    table = Sheet("batch", "period", "state", "took", "reason", spare=("took",), whole=("state", "took"))
    table.add_row("web_logs.20261121T082745.24da8be2", "–", "QUARANTINED", "1.4 min", "a reason of some length")
    shown = {width: printed(lambda console: console.print(table), width) for width in (100, 75, 62, 47)}
    words = {width: " ".join(text.split()) for width, text in shown.items()}
    notes = {width: text.partition("not shown in ")[2].partition(" (")[0] for width, text in words.items()}
    assert notes == {
        100: "",
        75: "75 columns: period",
        62: "62 columns: period, took",
        47: "47 columns: period, took, reason",
    }


def test_a_narrow_column_comes_back_where_a_wide_one_has_left() -> None:
    """A narrow column is shown again if leaving out a wide one makes room."""
    table = Sheet("batch", "took", "description", spare=("took", "description"), whole=("took", "description"))
    table.add_row("b", "1.4 min", "d" * 60)
    assert "1.4 min" in printed(lambda console: console.print(table), 40)


def test_a_narrow_screen_folds_the_last_column_left() -> None:
    """An id wider than the screen is printed in full over two lines."""
    table = Sheet("batch", "read")
    table.add_row("web_logs.20261121T082745.24da8be2", "1")
    shown = printed(lambda console: console.print(table), 20).splitlines()
    assert "".join(row.strip() for row in shown[1:3]) == "web_logs.20261121T082745.24da8be2"


def test_an_id_stays_in_one_piece_beside_names_that_are_folded() -> None:
    """An id is in one piece at every width at which other columns can be left out."""
    batch = "web_logs.20261121T082745.24da8be2"
    table = Sheet("what", "name", "since", "reason", spare=("since",), whole=("what", "since"))
    table.add_row("batch", in_one_piece(batch), "2026-11-21 08:27", "3 of 1,363 records rejected")
    table.add_row("file", "s3://tidemark-raw-123456789012-us-east-1/web_logs/" + "x" * 60, "2026-11-21 08:27", "gone")
    for width in (40, 80, 100):
        shown = printed(lambda console: console.print(table), width)
        assert batch in shown
        assert max(map(cell_len, shown.splitlines())) <= width


def test_a_line_to_be_copied_is_not_wrapped() -> None:
    """A line that is pasted into a shell gets no line break."""
    command = "export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
    assert printed(lambda console: say_whole(console, command), 40) == f"{command}\n"


def test_a_long_list_says_how_much_more_there_is() -> None:
    """Of a long list ten lines are shown, with a count of the others and where they are."""
    assert capped([str(place) for place in range(22)], "summary.json")[9:] == ["9", "and 12 more, see summary.json"]
    assert capped(["only"], "summary.json") == ["only"]


def test_a_screen_gets_an_ellipsis_and_a_pipe_the_whole() -> None:
    """A screen shows a shortened text with an ellipsis, a pipe all of it."""
    screen = Console(file=Screen(), force_terminal=True)
    assert shortened("x" * 100, 80, screen) == "x" * 79 + "…"
    assert shortened("x" * 100, 80, Console(file=io.StringIO())) == "x" * 100


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}, {"COLUMNS": "40"}, {"TTY_COMPATIBLE": "1"}])
def test_a_pipe_is_plain_whatever_the_environment_says(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe gets no colour code and no added line break, whatever the environment says."""
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    pipe = io.StringIO()
    open_console(pipe).print(line(("x" * 300, "bold red")))
    assert pipe.getvalue() == "x" * 300 + "\n"


def test_no_color_is_respected_on_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR no escape is sent; without it there are colours."""
    said = {}
    monkeypatch.setenv("TERM", "xterm-256color")
    for value in ("", "1"):
        monkeypatch.setenv("NO_COLOR", value)
        screen = Screen()
        open_console(screen).print(line(("LOADED", "green")))
        said[value] = screen.getvalue()
    assert ("\x1b[" in said[""], said["1"]) == (True, "LOADED\n")


def test_an_encoding_that_lacks_a_character_gets_escapes() -> None:
    """An ASCII terminal gets escapes for other characters."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    open_console(stream).print(line("–名"))
    stream.flush()
    assert stream.buffer.getvalue().decode() == f"\\u2013\\u540d{os.linesep}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", NASTY)
def test_markup_means_nothing_in_any_part(text: str) -> None:
    """Every part of a line is printed as it is, styled or not."""
    shown = printed(lambda console: console.print(line(text, (text, "bold"))), 1_000)
    assert shown.rstrip("\n").rstrip() == (visible(text) * 2).rstrip()
