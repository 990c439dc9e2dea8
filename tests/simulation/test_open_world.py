"""A world without faults that never rests: input continues, people act, other tools compact and delete."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

import tidemark.service.plan as plan_module
from tests.simulation.faults import CALM, Killed
from tests.simulation.open_world import LOAD_EVERY, MAX_WAIT, OpenWorld, row, world
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import State
from tidemark.service import operate
from tidemark.service.plan import form, plan
from tidemark.service.reconcile import reconcile_all
from tidemark.service.sweep import sweep


@pytest.mark.parametrize("every", [20, 60, 150])
def test_a_key_that_is_overwritten_all_the_time_holds_up_no_other_file(every: int) -> None:
    """Nineteen files share its batch, and are queryable within twice the time of one wait, run, wake-up and load."""
    with world("plan", "load", "sweep", "reconcile") as it:
        it.declare("orders")
        run, load = _slow_runs(it, 150.0), it.sim.redshift.longest
        for number in range(19):
            it.at(1, lambda number=number: it.land(f"orders/other{number:02}"))
        for second in range(1, 7200, every):
            it.at(second, lambda second=second: it.land("orders/hot", row(f"hot{second}")))
        it.until(120 + 2 * (MAX_WAIT + run + LOAD_EVERY + load))  # events take up to two minutes in this world
        assert len([name for name in it.in_warehouse() if "other" in name]) == 19
        it.until(7200)
        attempts = max(batch.attempt for batch in it.batches())
        assert 3 <= attempts <= 7200 / LOAD_EVERY + 1


def test_what_a_listing_shows_as_the_latest_is_the_latest() -> None:
    """A multipart upload that began before the older version was put is loaded, although its event is lost."""
    with world("plan", "load", "sweep", "reconcile") as it:
        it.declare("orders")
        it.at(60, lambda: it.land("orders/big", row("v1")))

        def complete() -> None:
            it.sim.faults.use(replace(CALM, landing_dropped=1.0))
            newer = it.land("orders/big", row("v2"))
            it.sim.faults.use(CALM)
            it.sim.s3.began(newer, it.sim.stage.epoch + timedelta(seconds=30))

        it.at(300, complete)
        it.until(4 * 3600)
        assert [row[0] for row in it.sim.catalog.rows("orders")] == ["v2"]
        assert len(it.batches(State.EMPTY)) == 1  # reconcile brings the version once, not at every pass


def test_a_flooded_dataset_leaves_slots_to_the_others() -> None:
    """One dataset gets a file every second, another a single file, which is loaded as soon as any other."""
    with world() as it:
        it.declare("a", files=1, running=5)
        it.declare("z", files=1, running=5)
        for second in range(1, 1800):
            it.at(second, lambda second=second: it.land(f"a/{second}"))
        it.at(600, lambda: it.land("z/only"))
        it.until(1800)
        assert it.in_warehouse("z") == {"z/only"}


def test_equal_datasets_get_equal_shares() -> None:
    """Twelve datasets always want all five slots: none gets more than twice the batches of another."""
    with world("plan") as it:
        names = [f"d{number:02}" for number in range(12)]
        for name in names:
            it.declare(name, files=1000, running=4)
            for second in range(0, 2400, 30):
                it.at(second, lambda name=name, second=second: it.land(f"{name}/{second}"))
        it.until(2400)
        shares = Counter(batch.dataset for batch in it.batches())
        assert set(shares) == set(names)
        assert max(shares.values()) <= 2 * min(shares.values())


def test_replays_of_everything_leave_room_for_a_fresh_file() -> None:
    """During thirty replays, a new file is queryable before half of the replays are done."""
    with world() as it:
        it.declare("orders", files=1, running=100)
        it.declare("clicks", files=1, running=100)
        for number in range(30):
            it.at(1, lambda number=number: it.land(f"orders/{number:02}"))
        it.until(3000)
        _slow_runs(it, 300.0)
        for batch in it.batches(State.LOADED):
            it.person(lambda world, batch=batch: operate.replay(world, operate.find_batch(world, batch.batch_id)))
        it.at(it.seconds + 1, lambda: it.land("clicks/fresh"))
        it.until(it.seconds + 120 + 2 * (MAX_WAIT + 300 + LOAD_EVERY + it.sim.redshift.longest))
        assert it.in_warehouse("clicks") == {"clicks/fresh"}
        replayed = [batch for batch in it.batches(State.LOADED) if batch.attempt > 1]
        assert 0 < len(replayed) < 15
        it.until(it.seconds + 4 * 3600)
        assert {batch.attempt for batch in it.batches() if batch.dataset == "orders"} == {2}


def test_every_dataset_gets_its_pass_of_reconcile() -> None:
    """An invocation fits three pages, and each dataset has two: no pass begins again before all have ended."""
    with world("sweep") as it:
        for name in "abcd":
            it.declare(name)
            for number in range(100):
                it.sim.s3.land("raw", f"{name}/{number:03}", ())
        it.sim.stage.time += timedelta(hours=1)
        brought = []
        for _ in range(4):
            pages = count()
            brought.append(it.person(lambda world, pages=pages: reconcile_all(world, lambda: next(pages) < 3)))
        assert brought == [150, 150, 100, 0]


def test_a_refused_file_is_released_though_its_batch_was_split() -> None:
    """The file goes to the child without a quarantined file, and its rows are loaded."""
    with world() as it:
        it.declare("orders")
        it.land("orders/a_gone", {"poison": "named"})
        it.land("orders/bad", {"poison": "unnamed"})
        for number in range(4):
            it.land(f"orders/good{number}")
        it.until(3 * 3600)
        assert [batch.files for batch in it.batches(State.QUARANTINED)] == [1]
        it.sim.s3.heal("raw", "orders/a_gone", (row("a_gone"),))
        it.person(lambda world: operate.release_file(world, operate.find_refused(world, "raw", "orders/a_gone")))
        it.until(it.seconds + 3600)
        assert it.in_warehouse() == {"a_gone", *(f"orders/good{number}" for number in range(4))}


def test_a_refused_version_is_released_beside_a_newer_one_under_append() -> None:
    """Both versions count, so the newer one does not prevent the release; under supersede it does, with an error."""
    with world() as it:
        it.declare("orders", "append")
        it.declare("clicks", "supersede")
        for name in ("orders", "clicks"):
            it.land(f"{name}/k", {"poison": "named"})
            it.land(f"{name}/x")
        it.until(1800)
        it.sim.s3.heal("raw", "orders/k", (row("v1"),))
        refused = it.person(lambda world: world.ledger.quarantine.contents()[1])
        for name in ("orders", "clicks"):
            it.land(f"{name}/k", row(f"{name} v2"))
        it.until(3600)
        of = {one.file.key: one for one in refused}
        it.person(lambda world: operate.release_file(world, of["orders/k"]))
        with pytest.raises(TidemarkError, match="was overwritten by version v00006: expected `discard`"):
            it.person(lambda world: operate.release_file(world, of["clicks/k"]))
        it.until(2 * 3600)
        assert it.in_warehouse() == {"orders/x", "v1", "orders v2"}
        assert it.in_warehouse("clicks") == {"clicks/x", "clicks v2"}


def test_what_is_under_way_outlives_its_declaration() -> None:
    """A declaration is removed while the warehouse is down: its batch and the others are loaded afterwards."""
    with world("plan", "load", "sweep", "reconcile") as it:
        it.declare("orders")
        it.declare("clicks")
        for number in range(3):
            it.land(f"orders/{number}")
            it.land(f"clicks/{number}")
        it.sim.redshift.down_until = it.sim.stage.epoch + timedelta(minutes=40)
        it.at(1800, lambda: it.sim.retired.add("clicks"))
        it.until(3 * 3600)
        assert {batch.state for batch in it.batches()} == {State.LOADED}
        assert len(it.in_warehouse("clicks")) == len(it.in_warehouse()) == 3


def test_a_policy_that_changes_while_a_batch_is_formed_loses_no_file() -> None:
    """A planner crashes with the newer version claimed; under the policy deployed meanwhile the older would count."""
    with world("load", "sweep") as it:
        it.declare("orders", "supersede")
        it.at(1, lambda: it.land("orders/k", row("v1")))
        it.at(2, lambda: it.land("orders/k", row("v2")))
        it.until(700)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(it.sim.world.store, "put_once", _dies)
            with pytest.raises(Killed):
                it.person(plan)
        it.declare("orders", "ignore")
        it.until(2400)
        assert it.in_warehouse() == {"v2"}


def test_a_version_that_the_manifest_lacks_comes_with_the_next_attempt() -> None:
    """A planner crashes with its manifest written; under the policy deployed meanwhile both versions count."""
    with world("load", "sweep", "plan") as it:
        it.declare("orders", "ignore")
        landed = [it.put("orders/k", row("v1")), it.put("orders/k", row("v2"))]
        for one in landed:
            it.hear(one)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(plan_module, "move", _dies)
            while not it.sim.s3.objects:
                it.until(it.seconds + 1)
        it.declare("orders", "append")
        it.until(3000)
        assert it.in_warehouse() == {"v1", "v2"}


def test_two_planners_with_two_policies_lose_no_newer_version() -> None:
    """One has written its manifest with the older version; the other has claimed the newer one and crashed."""
    with world("load", "sweep", "plan") as it:
        it.declare("orders", "ignore")
        it.at(1, lambda: it.land("orders/k", row("v1")))
        it.at(2, lambda: it.land("orders/k", row("v2")))
        store = it.sim.world.store
        put_once = store.put_once

        def meanwhile(*arguments: Any) -> bool:
            it.declare("orders", "supersede")
            patched.setattr(store, "put_once", _dies)
            with it.deployed_just_now(), pytest.raises(Killed):
                form(it.sim.world, it.batches(State.FORMING)[0].batch_id)
            patched.undo()
            return put_once(*arguments)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(store, "put_once", meanwhile)
            it.until(3000)
        assert it.in_warehouse() == {"v2"}


def test_an_outage_of_the_warehouse_leaves_no_trace() -> None:
    """The warehouse is down for an hour: no batch's load is limited, and a few loads clear the backlog afterwards."""
    with world() as it:
        it.declare("orders", files=1, running=100)
        for second in range(1, 2 * 3600, 30):
            it.at(second, lambda second=second: it.land(f"orders/{second}"))
        it.at(1800, lambda: it.sim.faults.use(replace(CALM, load_failed=1.0)))
        it.at(5400, lambda: it.sim.faults.use(CALM))
        it.until(5400)
        assert {batch.company for batch in it.batches()} == {0}
        sent = len(_loads(it))
        it.until(3 * 3600)
        assert {batch.state for batch in it.batches()} <= {State.LOADED, State.EMPTY}
        assert len(_loads(it)) - sent < len(it.batches()) / 4


def test_files_that_another_tool_deletes_before_their_load_are_made_anew() -> None:
    """Another tool compacts and deletes too early: the affected batch runs again, and the other batch does not."""
    with world() as it:
        for name in ("orders", "trips"):  # of one shard
            it.declare(name)
            it.at(1, lambda name=name: it.land(f"{name}/1"))
        it.until(1)
        while len(it.batches(State.PUBLISHED)) < 2:
            it.until(it.seconds + 1)
            assert it.seconds < LOAD_EVERY
        _tidy_up(it, "orders")
        it.until(2 * 3600)
        assert {(one.dataset, one.state, one.attempt) for one in it.batches()} == {
            ("orders", State.LOADED, 2),
            ("trips", State.LOADED, 1),
        }
        assert it.in_warehouse() == {"orders/1"}
        (renewed,) = (one for one in it.batches() if one.dataset == "orders")
        assert re.fullmatch(r"s3://lake/batches/orders/\S+\.parquet was gone from the lake.*", renewed.because)


def test_a_rule_that_deletes_all_files_before_their_load_comes_to_a_persons_notice() -> None:
    """After three attempts the batch is quarantined, and the reason says what to look for."""
    with world() as it:
        it.declare("orders")
        it.at(1, lambda: it.land("orders/1"))
        while not it.batches(State.QUARANTINED):
            it.until(it.seconds + 5)
            assert it.seconds < 4 * 3600
            if it.batches(State.PUBLISHED):
                _tidy_up(it, "orders")
        (batch,) = it.batches()
        assert batch.attempt == 4
        assert "something deletes files that are not yet loaded" in batch.reason


@pytest.mark.parametrize("segments", [40, 2_000])
def test_a_sweep_costs_the_same_whatever_is_pending(segments: int) -> None:
    """Sweep reads a bounded number of each dataset's oldest segments, so it makes the same few calls."""
    with world("load") as it:
        it.declare("orders")
        for number in range(segments):
            it.person(
                lambda world, number=number: world.ledger.segments.put("orders", _file(number), world.clock.now())
            )
        before = it.sim.faults.calls
        it.person(sweep)
        assert it.sim.faults.calls - before < 20


def _tidy_up(it: OpenWorld, dataset: str) -> None:
    """Compact the dataset's lake tables as another tool does, and delete the replaced files."""
    for table in it.sim.declared[dataset].tables:
        it.sim.catalog.compact(table.physical_name)
    for uri in [uri for uri in it.sim.data.files if f"/batches/{dataset}/" in uri]:
        del it.sim.data.files[uri]


def _dies(*_: Any) -> None:
    raise Killed


def _file(number: int) -> list[Any]:
    from tidemark.core.files import FileVersion

    return [FileVersion("raw", f"orders/{number}", f"v{number}", 1, "2025-12-31T23:00:00Z", "0A")]


def _slow_runs(it: OpenWorld, seconds: float) -> float:
    """Let every run take exactly this long."""
    it.sim.emr.run_seconds = lambda: seconds
    return seconds


def _loads(it: OpenWorld) -> list[Any]:
    return [found for found in it.sim.redshift.statements if found.name.startswith("tide.load.")]
