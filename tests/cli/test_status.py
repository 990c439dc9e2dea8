"""`tidemark status`: what waits for the lock, how far the nights are, and that it fits a terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from cli.render import PIPE_WIDTH
from cli.status import show_batches, show_file, show_status
from tests.cli.batches import BATCH, FILES, failed_once, hold
from tests.cli.outcomes import printed
from tests.service.nights import DATASETS, NightWorld, advance, land, run_nights
from tidemark.adapters.dataset_files import load_all
from tidemark.adapters.world import World
from tidemark.clock import iso
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.lifecycle import Batch, Counts, State
from tidemark.service.nightly import nightly
from tidemark.service.submit import submit
from tidemark.settings import DATASETS as DECLARATIONS

SHOP = parse_dataset(
    {
        "name": "shop", "prefix": "shop/", "record": {"id": "string(8)"},
        "tables": {"sales": {"kind": "facts", "columns": {"id": "string(8)"}, "deduplicate": "id",
            "deduplication_window": "7d"}},
    }
)  # fmt: skip
DECLARED = load_all(DECLARATIONS)


class RememberingWorld(NightWorld):
    """A shop that counts no sale twice."""

    @property
    def datasets(self) -> dict[str, Dataset]:  # type: ignore[override]
        return {"shop": SHOP}


class DeclaredWorld(NightWorld):
    """The datasets that come along, with their long names."""

    @property
    def datasets(self) -> dict[str, Dataset]:  # type: ignore[override]
        return DECLARED


def status(world: World, width: int = 200) -> dict[str, str]:
    """Dataset → its line, with single spaces; the heading under `dataset`."""
    text = io.StringIO()
    show_status(world, Console(file=text, width=width))
    lines = [" ".join(line.split()) for line in text.getvalue().splitlines()]
    return {line.split()[0]: line for line in lines}


def planned(world: World, name: str) -> Batch:
    """A batch of the shop that has its manifest."""
    now = world.clock.now()
    return world.ledger.batches.save(Batch(f"shop.20261122T003000.{name}", "shop", now, now, State.PLANNED))


def test_batches_that_wait_for_their_turn_say_so(world: NightWorld) -> None:
    """Of three batches one runs and two wait for it; when it is loaded, none waits."""
    shop = RememberingWorld(world.settings, world.clock, world.clients, world.endpoint)
    first, second, _ = (planned(shop, name) for name in ("aaaaaaaa", "bbbbbbbb", "cccccccc"))
    assert status(shop)["shop"] == "shop 0 0 B – – PLANNED 3 (for 0.0 s) 0 0 0 0 never"
    submit(shop, first.batch_id)
    world.clock.moment += timedelta(minutes=3)  # type: ignore[attr-defined]
    waiting = "PLANNED 2 (2 wait for the lock, for 3.0 min), RUNNING 1 (for 3.0 min)"
    assert status(shop)["shop"] == f"shop 0 0 B – – {waiting} 0 0 0 0 never"
    running = shop.ledger.batches.get(first.batch_id)
    assert running
    shop.ledger.batches.save(replace(running, state=State.LOADED))
    assert status(shop)["shop"] == "shop 0 0 B – – PLANNED 2 (for 3.0 min), LOADED 1 0 0 0 0 never"
    submit(shop, second.batch_id)
    now = "PLANNED 1 (1 waits for the lock, for 3.0 min), RUNNING 1 (for 0.0 s), LOADED 1"
    assert status(shop)["shop"].endswith(f"{now} 0 0 0 0 never")


def test_batches_of_other_datasets_wait_for_no_turn(world: NightWorld) -> None:
    """Without a deduplication window, batches run side by side, and none waits for a turn."""
    first, _ = planned(world, "aaaaaaaa"), planned(world, "bbbbbbbb")
    submit(world, first.batch_id)
    assert "PLANNED 1 (for 0.0 s), RUNNING 1 (for 0.0 s)" in status(world)["shop"]


def test_a_pause_and_duplicates_are_shown(world: NightWorld) -> None:
    """A paused dataset says so first, and records dropped as duplicates are counted."""
    first = planned(world, "aaaaaaaa")
    world.ledger.batches.save(
        replace(first, state=State.LOADED, counts=Counts(read=12, kept=5, rejected=3, duplicate_records=4))
    )
    world.ledger.controls.pause("shop", paused=True)
    assert status(world)["shop"] == "shop 0 0 B – – paused, LOADED 1 12 5 3 4 never"
    assert "paused" not in status(world)["totals"]


def test_the_last_pass_of_reconcile_is_shown(world: NightWorld) -> None:
    """The age of the latest pass is shown, and of the latest whole pass if that is another; nightly jobs have none."""
    now = world.clock.now()
    value = {"began": iso(now - timedelta(hours=3)), "whole": iso(now - timedelta(hours=3)), "keys": 9}
    world.ledger.controls.set("RECONCILED#shop", value)
    assert status(world)["shop"].endswith(" 3.0 h ago")
    world.ledger.controls.set("RECONCILED#shop", {**value, "whole": iso(now - timedelta(days=12))})
    assert status(world)["shop"].endswith(" 3.0 h ago, whole 12.0 days")
    assert status(world)["totals"].endswith(" –")


def test_a_nightly_job_shows_its_latest_period(world: NightWorld) -> None:
    """A nightly job shows its latest period; a dataset of files has none."""
    land(world, "shop.20261119T080000.aaaaaaaa", {"2026-11-20": [1], "2026-11-21": [2]})
    nightly(world)
    titles = "dataset pending bytes waiting period batches read kept rejected duplicates reconciled"
    assert status(world)["dataset"] == titles
    assert status(world)["totals"].startswith("totals 0 0 B – 2026-11-21 PLANNED 2 (for 0.0 s) ")
    run_nights(world)
    assert status(world)["totals"].startswith("totals 0 0 B – 2026-11-21 PUBLISHED 2 (for 0.0 s) ")
    assert [status(world)[name].split()[5] for name in DATASETS] == ["–", "2026-11-21", "–"]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_busy_line_fits_its_screen(world: NightWorld, width: int) -> None:
    """Names and figures stay in one piece, whatever else folds; a column that does not fit is named below."""
    declared = DeclaredWorld(world.settings, world.clock, world.clients, world.endpoint)
    now = world.clock.now()
    for name in ("segment_customers", "web_logs"):
        for number, state in enumerate(State):
            counted = Batch(
                f"{name}.{number}", name, now, now, state, counts=Counts(read=1_234_567, kept=1_230_000, rejected=4_567)
            )
            world.ledger.batches.save(replace(counted, period="2026-11-16" if DECLARED[name].nightly else ""))
    text = io.StringIO()
    show_status(declared, Console(file=text, width=width))
    lines = text.getvalue().splitlines()
    note = " ".join(text.getvalue().split()).partition("not shown in")[2]
    assert max(map(len, lines)) <= width
    for title, shown in {
        "read": "11,111,103",
        "kept": "11,070,000",
        "rejected": "41,103",
        "period": "2026-11-16",
    }.items():
        assert title in note or any(shown in row.split() for row in lines if row.startswith("segment_customers "))
    assert "pending" in lines[0]
    assert "rejected" in lines[0]


def test_an_attempt_that_failed_says_why(world: NightWorld) -> None:
    """The reason of a failed attempt stays visible after the next attempt succeeds."""
    retried = failed_once(world)
    uri = f"s3://raw/{FILES[0].key}"
    for state, reason in ((State.PLANNED, retried.reason), (State.LOADED, "")):
        retried = world.ledger.batches.save(replace(retried, state=state, reason=reason))
        shown = printed(lambda console: show_file(world, console, uri), PIPE_WIDTH)
        assert "attempt 1 given up while RUNNING: the run was killed: out of memory" in shown
        assert "the run was killed: out of memory" in printed(
            lambda console: show_batches(world, console, None, 5), 160
        )
    assert "attempt 1: the run was killed" in printed(lambda console: show_batches(world, console, None, 5), PIPE_WIDTH)


def test_took_is_the_time_of_the_attempt(world: NightWorld) -> None:
    """An attempt begun ten minutes after its batch took two minutes when the batch is twelve minutes old."""
    retried = failed_once(world)
    advance(world, minutes=2)
    shown = printed(lambda console: show_batches(world, console, None, 5), PIPE_WIDTH)
    assert "2.0 min" in shown
    assert retried.took(world.clock.now()) == timedelta(minutes=2)
    done = replace(retried, state=State.LOADED, updated_at=world.clock.now())
    advance(world, days=1)
    assert done.took(world.clock.now()) == timedelta(minutes=2)
    assert world.ledger.batches.attempts(BATCH)[0].took(world.clock.now()) > timedelta(days=1)


def test_figures_of_busy_batches_are_whole_at_eighty_columns(world: NightWorld) -> None:
    """A count is shown whole, or its column is named as left out."""
    hold(world, "shop/a.json")
    batch = world.ledger.batches.get(BATCH)
    assert batch
    world.ledger.batches.save(
        replace(batch, counts=Counts(read=1_234_567, kept=1_230_000, rejected=4_567), bytes=98_765_432)
    )
    for width in (80, 100, 120, 160):
        shown = printed(lambda console: show_batches(world, console, None, 20), width)
        note = " ".join(shown.split()).partition("not shown in ")[2]
        assert max(map(cell_len, shown.splitlines())) <= width
        for title, figure in {"read": "1,234,567", "kept": "1,230,000", "rejected": "4,567"}.items():
            assert (figure in shown.replace("1,234,567", "") or title == "read") or title in note
