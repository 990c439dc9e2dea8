"""`tidemark nightly`: what a person is shown, and what comes of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date

import pytest
from rich.console import Console

from cli.nightly import list_jobs, run_night
from tests.service.nights import NightWorld, land
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import State
from tidemark.core.naming import nightly_id

FIRST = "shop.20261119T080000.aaaaaaaa"
TOTALS = nightly_id("totals", "day", date(2026, 11, 20))


def said(command: Callable[[Console], None]) -> list[list[str]]:
    """What a command prints, as the words of each line."""
    text = io.StringIO()
    command(Console(file=text, width=140))
    return [line.split() for line in text.getvalue().splitlines()]


def test_a_plan_shows_what_is_due_and_why_and_does_nothing(world: NightWorld) -> None:
    """The row of the first job; the second is not due before the first has rows."""
    land(world, FIRST, {"2026-11-20": [1]})
    lines = said(lambda console: run_night(world, console, [], [], only_plan=True))
    assert lines[1] == ["totals", "2026-11-20", "not", "computed", "yet", "–"]
    assert lines[2][:3] == ["nothing", "was", "done;"]
    assert world.ledger.batches.get(TOTALS) is None


def test_a_night_out_of_turn_begins_what_is_due(world: NightWorld) -> None:
    """It says how many; a second one finds nothing due, and the list shows the period under way."""
    land(world, FIRST, {"2026-11-20": [1]})
    assert said(lambda console: run_night(world, console, [], [], only_plan=False))[-1] == ["1", "period", "begun"]
    assert said(lambda console: run_night(world, console, [], [], only_plan=False)) == [["nothing", "is", "due"]]
    batch = world.ledger.batches.get(TOTALS)
    assert batch
    assert batch.state is State.PLANNED
    assert said(lambda console: list_jobs(world, console))[1:] == [
        ["totals", "day", "sales", "2026-11-20", "PLANNED", "0"],
        ["trends", "day", "totals", "and", "1", "day", "back", "–", "–", "0"],
        ["last", "pass", "over", "all", "jobs:", "2026-11-22", "00:30", "UTC"],
    ]


def test_a_night_out_of_turn_counts_as_one_even_if_nothing_is_due(world: NightWorld) -> None:
    """The alarm on missed nights goes by the last pass: a plan is none, nor is a night of one date."""
    for only_plan, dates in ((True, []), (False, [date(2026, 11, 21)])):
        run_night(world, Console(file=io.StringIO()), [], dates, only_plan)
    assert said(lambda console: list_jobs(world, console))[-1] == ["no", "pass", "over", "all", "jobs", "yet"]
    assert said(lambda console: run_night(world, console, [], [], only_plan=False)) == [["nothing", "is", "due"]]
    assert said(lambda console: list_jobs(world, console))[-1][:3] == ["last", "pass", "over"]


def test_a_job_that_is_none_is_refused_by_name(world: NightWorld) -> None:
    """The error says which there are."""
    with pytest.raises(TidemarkError, match=r"expected a nightly job \(totals, trends\), found 'shop'"):
        run_night(world, Console(file=io.StringIO()), ["shop"], [], only_plan=True)
