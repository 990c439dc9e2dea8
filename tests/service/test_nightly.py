"""Nights over a real lake: what is begun and pinned, what late rows restate, what a crash leaves to the next pass."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from tests.service.nights import NightWorld, advance, land, run_nights, shown
from tidemark.core.errors import Conflict, TidemarkError
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import Batch, Poisoned, State
from tidemark.core.naming import nightly_id
from tidemark.service import nightly as service
from tidemark.service.nightly import due_report, follow, form, nightly, read_nightly_manifest
from tidemark.service.operate import discard_batch, replay
from tidemark.service.plan import plan
from tidemark.service.sweep import sweep
from tidemark.service.transitions import move

FIRST, SECOND = "shop.20261119T080000.aaaaaaaa", "shop.20261121T080000.bbbbbbbb"


def night(job: str, day: str) -> str:
    return nightly_id(job, "day", date.fromisoformat(day))


def held(world: NightWorld, job: str, day: str) -> Batch:
    found = world.ledger.batches.get(night(job, day))
    assert found
    return found


def fail(*_: Any) -> None:
    raise ConnectionError("the network is gone")


def until_rest(world: NightWorld) -> list[str]:
    """A night, and all that follows from it: what ran, in order."""
    nightly(world)
    ran: list[str] = []
    while worked := run_nights(world):
        ran += worked
        follow(world, {batch_id.split(".")[0] for batch_id in worked})
    return ran


def test_a_night_computes_the_days_that_have_ended_and_then_what_reads_them(world: NightWorld) -> None:
    """Two of three days are over: their totals are made, then the trends, each over two days; today is left alone."""
    land(world, FIRST, {"2026-11-20": [1, 2], "2026-11-21": [10], "2026-11-22": [100]})
    assert until_rest(world) == [
        night("totals", "2026-11-20"), night("totals", "2026-11-21"),
        night("trends", "2026-11-20"), night("trends", "2026-11-21"),
    ]  # fmt: skip
    assert shown(world, "totals") == {"2026-11-20": [3], "2026-11-21": [10]}
    assert shown(world, "trends") == {"2026-11-20": [3], "2026-11-21": [13]}
    assert due_report(world).due == ()


def test_late_rows_restate_the_days_that_they_touch_and_only_those(world: NightWorld) -> None:
    """Rows of the 20th come on the 22nd: its totals and both trends that read it are made again, as if from scratch."""
    land(world, FIRST, {"2026-11-19": [5], "2026-11-20": [1, 2], "2026-11-21": [10]})
    until_rest(world)
    untouched = held(world, "totals", "2026-11-21"), held(world, "trends", "2026-11-19")
    advance(world, days=1)
    land(world, SECOND, {"2026-11-20": [4]})
    assert [one.reason for one in due_report(world).due] == ["rows of 2026-11-20 changed in sales"]
    ran = until_rest(world)
    assert ran == [night("totals", "2026-11-20"), night("trends", "2026-11-20"), night("trends", "2026-11-21")]
    assert shown(world, "totals") == {"2026-11-19": [5], "2026-11-20": [7], "2026-11-21": [10]}
    assert shown(world, "trends") == {"2026-11-19": [5], "2026-11-20": [12], "2026-11-21": [17]}
    assert (held(world, "totals", "2026-11-21"), held(world, "trends", "2026-11-19")) == untouched
    assert held(world, "totals", "2026-11-20").attempt == 2


def test_a_replaced_batch_restates_the_days_that_it_has_left(world: NightWorld) -> None:
    """A file of the 20th is written again with rows of the 21st alone: both days change, the 20th to nothing."""
    land(world, FIRST, {"2026-11-20": [1]})
    land(world, SECOND, {"2026-11-20": [2], "2026-11-21": [10]})
    until_rest(world)
    land(world, FIRST, {"2026-11-21": [7]})
    assert [one.period.name for one in due_report(world).due if one.job == "totals"] == ["2026-11-20", "2026-11-21"]
    until_rest(world)
    assert shown(world, "totals") == {"2026-11-20": [2], "2026-11-21": [17]}


def test_what_was_published_before_a_publisher_died_is_marked_by_the_attempt_after(
    world: NightWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies between commit and mark, and the batch is superseded: the next attempt marks the days of both."""
    with monkeypatch.context() as broken:
        broken.setattr(world.ledger.day_changes, "record", fail)
        with pytest.raises(ConnectionError):
            land(world, FIRST, {"2026-11-20": [1]})
    assert world.ledger.day_changes.of("sales") == {}
    land(world, FIRST, {"2026-11-21": [1]})
    assert sorted(world.ledger.day_changes.of("sales")) == ["2026-11-20", "2026-11-21"]


def test_a_manifest_pins_the_snapshot_and_the_files_of_the_days_read(world: NightWorld) -> None:
    """Files of other days are left out; the snapshot's number is what later marks are compared with."""
    land(world, FIRST, {"2026-11-20": [1, 2], "2026-11-21": [10]})
    nightly(world)
    batch = held(world, "totals", "2026-11-20")
    manifest = read_nightly_manifest(world, batch.manifest)
    (pinned,) = manifest.inputs
    assert [file.key.rsplit("/", 1)[-1] for file in pinned.files] == ["2026-11-20.parquet"]
    assert (pinned.rows, pinned.day, pinned.days) == (2, "day", (date(2026, 11, 20), date(2026, 11, 21)))
    assert world.ledger.day_changes.of("sales")["2026-11-20"] == pinned.sequence == batch.inputs["sales"]
    assert (batch.state, batch.files, batch.bytes) == (State.PLANNED, 1, pinned.files[0].size)


def test_rows_that_come_while_a_night_is_under_way_wait_for_its_end(world: NightWorld) -> None:
    """What is pinned stays pinned: the running attempt is not disturbed, and restated once it is through."""
    land(world, FIRST, {"2026-11-20": [1]})
    nightly(world)
    land(world, SECOND, {"2026-11-20": [2]})
    assert due_report(world).due == ()
    run_nights(world)
    assert shown(world, "totals") == {"2026-11-20": [1]}
    until_rest(world)
    assert shown(world, "totals") == {"2026-11-20": [3]}


def test_a_result_that_has_not_read_every_pinned_row_is_quarantined(world: NightWorld) -> None:
    """The batch goes to a person with what was expected and found, and the lake shows nothing of it."""
    land(world, FIRST, {"2026-11-20": [1, 2]})
    nightly(world)
    run_nights(world, unread=1)
    batch = held(world, "totals", "2026-11-20")
    assert (batch.state, batch.reason) == (State.QUARANTINED, "rows read of sales: expected 2, found 1")
    assert world.ledger.day_changes.of("totals") == {}


def test_a_crash_after_begin_or_after_the_manifest_is_finished_by_the_next_pass(
    world: NightWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch stands FORMING; the manifest that was written first stays, though newer rows have come meanwhile."""
    land(world, FIRST, {"2026-11-20": [1]})
    with monkeypatch.context() as broken:
        broken.setattr(world.ledger.batches, "save", fail)
        with pytest.raises(ConnectionError):
            nightly(world)
    assert held(world, "totals", "2026-11-20").state is State.FORMING
    land(world, SECOND, {"2026-11-20": [2]})
    assert nightly(world) == 0
    batch = held(world, "totals", "2026-11-20")
    assert (batch.state, read_nightly_manifest(world, batch.manifest).rows) == (State.PLANNED, {"sales": 1})
    run_nights(world)
    assert [one.reason for one in due_report(world, jobs=["totals"]).due] == ["rows of 2026-11-20 changed in sales"]


def test_nights_take_half_of_the_runs_and_the_rest_waits_its_turn(world: NightWorld) -> None:
    """Of three days two are formed, with four runs in all; a hint finds no run free before one of them has ended."""
    days = ["2026-11-13", "2026-11-14", "2026-11-15"]
    land(world, FIRST, {day: [1] for day in days})
    assert nightly(world, jobs=["totals"]) == 3
    assert [held(world, "totals", day).state for day in days] == [State.PLANNED, State.PLANNED, State.FORMING]
    form(world, night("totals", days[2]))
    assert held(world, "totals", days[2]).state is State.FORMING
    run_nights(world)
    form(world, night("totals", days[2]))
    assert held(world, "totals", days[2]).state is State.PLANNED


def test_a_paused_job_begins_nothing_and_its_successors_go_on_without_it(world: NightWorld) -> None:
    """A pause is noticed before anything is written; when it is lifted, the next pass takes up what is due."""
    land(world, FIRST, {"2026-11-20": [1]})
    world.ledger.controls.pause("totals", paused=True)
    assert nightly(world) == 0
    world.ledger.controls.pause("totals", paused=False)
    assert nightly(world) == 1


def test_two_passes_at_once_begin_a_period_once(world: NightWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both see that nothing is there: the ledger lets one of them write, and the other goes on."""
    land(world, FIRST, {"2026-11-20": [1]})
    seen = due_report(world)
    nightly(world)
    monkeypatch.setattr(service, "due_report", lambda *_: seen)
    monkeypatch.setattr(world.ledger.batches, "get", lambda _: None)
    assert nightly(world) == 0


def test_a_quarantined_night_is_restated_when_its_rows_change(world: NightWorld) -> None:
    """The rows may have been what was wrong with it; nobody need release it by hand."""
    land(world, FIRST, {"2026-11-20": [1]})
    nightly(world)
    move(world, held(world, "totals", "2026-11-20"), Poisoned(1, "the job does not bear odd numbers"))
    assert due_report(world).due == ()
    land(world, SECOND, {"2026-11-20": [1]})
    until_rest(world)
    assert shown(world, "totals") == {"2026-11-20": [2]}


def test_a_replayed_night_reads_its_tables_as_they_are_by_then(world: NightWorld) -> None:
    """It is formed anew when a run is free: files of an old snapshot may be gone, and newer rows belong into it."""
    land(world, FIRST, {"2026-11-20": [1]})
    until_rest(world)
    again = replay(world, held(world, "totals", "2026-11-20"))
    assert (again.state, again.attempt, again.manifest) == (State.FORMING, 2, "")
    form(world, again.batch_id)
    run_nights(world)
    assert shown(world, "totals") == {"2026-11-20": [1]}


def test_dates_and_jobs_narrow_a_pass_down(world: NightWorld) -> None:
    """A person asks for one date, even today's, and for one job."""
    land(world, FIRST, {"2026-11-20": [1], "2026-11-22": [2]})
    assert nightly(world, jobs=["trends"]) == 0
    assert nightly(world, dates=[date(2026, 11, 22)]) == 1
    assert held(world, "totals", "2026-11-22").state is State.PLANNED


def test_the_index_may_lag_behind_what_a_pass_has_begun(world: NightWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun a moment ago is formed in the same pass, though no index shows it yet."""
    land(world, FIRST, {"2026-11-20": [1]})
    monkeypatch.setattr(world.ledger.batches, "open", lambda _: [])
    nightly(world)
    assert held(world, "totals", "2026-11-20").state is State.PLANNED


def test_a_pass_that_is_overtaken_while_it_forms_changes_nothing(
    world: NightWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else has saved the batch first, which is as good."""
    land(world, FIRST, {"2026-11-20": [1]})

    def overtaken(*_: Any) -> None:
        raise Conflict("written by another")

    monkeypatch.setattr(service, "move", overtaken)
    assert nightly(world) == 1
    assert held(world, "totals", "2026-11-20").state is State.FORMING


def test_nights_that_wait_for_a_run_keep_no_file_waiting(world: NightWorld) -> None:
    """Two of three days are formed and one waits: of four runs, two are left for files."""
    land(world, FIRST, {"2026-11-13": [1], "2026-11-14": [1], "2026-11-15": [1]})
    nightly(world)
    for number in range(3):
        file = FileVersion("raw", f"shop/{number}.json", "v1", 1, "2026-11-22T00:00:00Z")
        world.ledger.segments.put("shop", [file], world.clock.now())
    assert plan(world) == 1
    formed = [batch for batch in world.ledger.batches.open("shop") if batch.state is State.PLANNED]
    assert [batch.files for batch in formed] == [3]


def test_sweep_tells_nightly_batches_from_those_of_files(world: NightWorld) -> None:
    """The hint says whose the step is; a night that waits for a run is no lag of files."""
    land(world, FIRST, {"2026-11-13": [1], "2026-11-14": [1], "2026-11-15": [1]})
    nightly(world)
    advance(world, hours=1)
    assert sweep(world) == 4
    hints = [json.loads(entry["Detail"]) for entry in world.client("events").entries]
    assert {(hint["batch_id"].split(".")[0], hint["state"], hint["nightly"]) for hint in hints} == {
        ("shop", "PUBLISHED", False), ("totals", "PLANNED", True), ("totals", "FORMING", True),
    }  # fmt: skip


def test_sweep_tells_how_long_ago_the_last_night_was_seen_through(
    world: NightWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass over some jobs or dates is no night, nor is one that failed; before the first there is nothing to tell."""
    told: list[float] = []
    monkeypatch.setattr(
        "tidemark.service.sweep.gauge", lambda name, value: told.append(value) if name == "NightAgeSeconds" else None
    )
    land(world, FIRST, {"2026-11-20": [1], "2026-11-21": [2]})
    nightly(world, jobs=["totals"], dates=[date(2026, 11, 20)])
    nightly(world, dates=[date(2026, 11, 20)])
    follow(world, ["totals"])
    with monkeypatch.context() as broken:
        broken.setattr(world.snapshots, "pin", fail)
        with pytest.raises(ConnectionError):
            nightly(world)
    sweep(world)
    assert told == []
    nightly(world)
    sweep(world)
    advance(world, hours=26)
    sweep(world)
    assert told == [0, 26 * 3_600]


def test_a_quarantined_night_is_released_but_not_discarded(world: NightWorld) -> None:
    """It has no files that a person could give up."""
    land(world, FIRST, {"2026-11-20": [1]})
    nightly(world)
    batch = move(world, held(world, "totals", "2026-11-20"), Poisoned(1, "it divides by zero"))
    with pytest.raises(TidemarkError, match="is nightly and has no files to give up: expected `release`"):
        discard_batch(world, batch)
    assert replay(world, batch).state is State.FORMING
