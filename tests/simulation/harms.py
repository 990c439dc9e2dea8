"""Mutants that calm weather and random faults let live, each with the scenario in which it does harm.

A scenario is played by the schedules alone, but for the moments that it names; the product itself comes through each.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tidemark.adapters.iceberg as iceberg_module
import tidemark.adapters.ledger.files as files_module
import tidemark.service.claim as claim_module
import tidemark.service.day_changes as day_changes_module
import tidemark.service.plan as plan_module
import tidemark.service.publish as publish_module
import tidemark.service.settle as settle_module
import tidemark.service.submit as submit_module
from tests.simulation.faults import CALM, Killed
from tests.simulation.open_world import OpenWorld, row, world
from tests.simulation.patches import Patch, applied
from tests.simulation.violation import Violation
from tidemark.core.errors import DeclarationError
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import State
from tidemark.service import operate
from tidemark.service.documents import read_result

BAD = {"poison": "named"}


@dataclass(frozen=True)
class Harm:
    """What is taken out, and where that hurts."""

    mutant: Callable[[], list[Patch]]
    scenario: Callable[[OpenWorld], None]


def rewritten(owner: Any, function: str, old: str, new: str) -> Patch:
    """The function with a piece of its source replaced."""
    original = getattr(owner, function)
    source = textwrap.dedent(inspect.getsource(original))
    assert source.count(old) == 1, f"{function} has {old!r} {source.count(old)} times"
    made: dict[str, Any] = {}
    exec(source.replace(old, new), inspect.unwrap(original).__globals__, made)
    return owner, function, made[function]


# ── scenarios ───────────────────────────────────────────────────────────────────────────────────────────────


def an_older_version_is_heard_of_last(it: OpenWorld) -> None:
    """Its event is hours late, and the newer version is loaded: that one stays."""
    it.declare("orders")
    late = it.put("orders/k", row("v1"))
    it.land("orders/k", row("v2"))
    it.until_rest()
    it.hear(late)
    it.until_rest()
    it.expect(it.in_warehouse() == {"v2"}, f"the key went back to {it.in_warehouse()}")


def a_file_of_the_second_half_is_overwritten(it: OpenWorld) -> None:
    """A batch has just been split, and no child is formed yet when the newer version is claimed."""
    it.declare("orders")
    it.sim.emr.script = ["unknown", "unknown", *["good"] * 20]
    for name in "abcd":
        it.land(f"orders/{name}", row(name))
    parent = it.until_some(State.SPLIT)
    newer = it.put("orders/d", row("d2"))
    file = FileVersion(newer.bucket, newer.key, newer.version, 101, "2025-12-31T23:50:00Z", newer.sequencer)
    it.person(lambda world: claim_module.claim(world, world.datasets["orders"], "orders.another", file))
    it.until_rest()
    it.expect(it.in_warehouse() == {"a", "b", "c", "d2"}, f"{parent.batch_id} shows {it.in_warehouse()}")


def newer_versions_are_refused(it: OpenWorld) -> None:
    """Six good files are overwritten by bad versions: each of these is refused once, and what is left is nothing."""
    it.declare("orders")
    for number in range(6):
        it.land(f"orders/{number}", row(f"v{number}"))
    it.until_rest()
    for number in range(6):
        it.land(f"orders/{number}", BAD)
    it.until_rest(4 * 3600)
    it.expect(not it.in_warehouse(), f"rows of overwritten versions stay: {it.in_warehouse()}")


def the_only_file_goes(it: OpenWorld) -> None:
    """A file is loaded, then overwritten by a version that is refused: its old rows go."""
    it.declare("orders")
    it.land("orders/k", row("v1"))
    it.until_rest()
    it.land("orders/k", BAD)
    it.until_rest()
    it.expect(not it.in_warehouse(), f"rows of an overwritten version stay: {it.in_warehouse()}")


def a_copy_leaves_a_row_out(it: OpenWorld) -> None:
    """The warehouse reports success, and has fewer rows than the files: a person is asked, and replays."""
    it.declare("orders")
    it.sim.faults.use(replace(CALM, copy_short=1.0))
    it.land("orders/k", row("v1"))
    it.until_some(State.QUARANTINED)
    it.sim.faults.use(CALM)
    it.person(lambda world: operate.release_batch(world, it.batches()[0]))
    it.until_rest()
    it.expect(it.in_warehouse() == {"v1"}, "the row is lost")


def an_attempt_is_given_up_between_two_tables(it: OpenWorld) -> None:
    """Attempt 2 shows a day in the facts and fails at the sums; attempt 3 takes the day back, and marks it."""
    it.declare("orders")
    it.land("orders/k", row("v1", "2025-12-28"))
    it.until_rest()
    publish = it.sim.world.lake.publish

    def refuse(table: Any, *arguments: Any) -> int:
        if table.kind == "additive":
            raise DeclarationError("expected bigint as in the lake, found string")
        return publish(table, *arguments)

    with applied([(it.sim.world.lake, "publish", refuse)]):
        it.land("orders/k", row("v2", "2025-12-29"))
        it.until_some(State.QUARANTINED)
    it.land("orders/k", row("v3", "2025-12-30"))
    it.until_rest()
    marks = it.person(lambda world: world.ledger.day_changes.of("orders"))
    it.expect(marks["2025-12-29"] == marks["2025-12-30"], f"the day that lost its rows is not marked: {marks}")


def a_publisher_sleeps_for_minutes(it: OpenWorld) -> None:
    """Attempt 2 shows nothing; then the publisher of attempt 1 wakes up, and is fenced off by the table's history."""
    it.declare("orders")
    it.land("orders/k", row("v1"))
    it.until_rest()
    first = it.batches()[0]
    result = it.person(lambda world: read_result(world, first))
    it.sim.land("orders/k", ())
    it.until_rest()
    for number in range(4):
        it.land(f"orders/{number}", row(f"other{number}"))
        it.until(it.seconds + 400)
    table, files = it.sim.declared["orders"].tables[0], [file.uri for file in result.tables["orders"]]
    it.person(lambda world: world.lake.publish(table, first.batch_id, 1, files, 1))
    shown = {found[0] for found in it.sim.catalog.rows("orders")}
    it.expect("v1" not in shown, "a row of an older attempt is back in the lake")


def a_run_blames_a_stranger(it: OpenWorld) -> None:
    """The job names a file of another batch, three times: that file stays what it is."""
    it.declare("orders")
    stranger = it.land("orders/k", row("k"))
    it.until_rest()
    it.sim.emr.blamed = {"bucket": stranger.bucket, "key": stranger.key, "version": stranger.version}
    it.sim.emr.script = ["blames", "blames", "good"]
    it.land("orders/x", row("x"))
    it.until(it.seconds + 3600)
    refused = it.person(lambda world: world.ledger.quarantine.contents()[1])
    it.expect(not refused, f"{stranger.key} is set aside, and good")


def a_column_comes_while_a_run_is_started(it: OpenWorld) -> None:
    """The submitter dies with the run started; by the next look a column is deployed, and the order stands."""
    it.declare("orders")
    start = it.sim.world.engine.start

    def die(**order: Any) -> str:
        start(**order)
        raise Killed

    it.sim.emr.run_seconds = lambda: 600.0
    with applied([(it.sim.world.engine, "start", die)]):
        it.land("orders/k", row("k"))
        it.until_some(State.PLANNED)
        while not it.sim.emr.runs:
            it.until(it.seconds + 1)
    it.sim.deploy("orders", added=1)
    it.until_rest()
    it.expect(it.in_warehouse() == {"k"}, "the row is lost")


def a_publisher_is_overtaken(it: OpenWorld) -> None:
    """Two batches have a row of one user, and the second shows its own while the first is about to commit."""
    it.sim.deploy("orders", on_overwrite="supersede", max_files=1, max_running=2, newest_by="")
    it.sim.emr.run_seconds = lambda: 30.0
    commit, slept = it.sim.catalog.commit, list[str]()

    def late(name: tuple[str, ...], *arguments: Any) -> None:
        if name[-1] == "orders_latest" and not slept:
            slept.append(name[-1])
            it.sim.pause(60.0)
        commit(name, *arguments)

    with applied([(it.sim.catalog, "commit", late)]):
        it.land("orders/1", row("first"))
        it.land("orders/2", row("second"))
        it.until_rest()


# ── what is taken out ───────────────────────────────────────────────────────────────────────────────────────


def _unsliced() -> list[Patch]:
    original = claim_module.inherited

    def whole(world: Any, child: Any) -> Any:
        return original(world, replace(child, file_range=(0, 1 << 30)))

    return [(claim_module, "inherited", whole)]


def _chooses_once() -> list[Patch]:
    original = iceberg_module.latest_rows
    chosen: dict[tuple[int, str], Any] = {}  # by catalog, too: small worlds are played many times

    def stubborn(table: Any, shown: Any, stored: Any, batch_id: str) -> Any:
        return chosen.setdefault((id(shown.catalog), batch_id), original(table, shown, stored, batch_id))

    return [(iceberg_module, "latest_rows", stubborn)]


HARMS = {
    "lets an older version supersede": Harm(
        lambda: [(claim_module, "is_newer", lambda *_: True)], an_older_version_is_heard_of_last
    ),
    "does not slice a child's part when the holder of a key is sought": Harm(
        _unsliced, a_file_of_the_second_half_is_overwritten
    ),
    "commits the latest rows that it chose before it was overtaken": Harm(_chooses_once, a_publisher_is_overtaken),
    "applies a batch's changes in the order of their names": Harm(
        lambda: [
            rewritten(files_module.Files, "changes", 'sorted(later, key=lambda change: change["number"])', "later")
        ],
        newer_versions_are_refused,
    ),
    "is EMPTY at any attempt": Harm(
        lambda: [rewritten(plan_module, "form", "not files and batch.attempt == 1", "not files")], the_only_file_goes
    ),
    "compares no counts when it settles": Harm(
        lambda: [rewritten(settle_module, "_compare", "counted == expected", "True")], a_copy_leaves_a_row_out
    ),
    "marks the days of the published attempt only": Harm(
        lambda: [
            (
                publish_module,
                *rewritten(
                    day_changes_module,
                    "replaced_results",
                    "range(max(1, batch.published), batch.attempt)",
                    "range(max(1, batch.published), batch.published + 1)",
                )[1:],
            )
        ],
        an_attempt_is_given_up_between_two_tables,
    ),
    "keeps snapshots for a minute": Harm(
        lambda: [(iceberg_module, "SNAPSHOTS_KEPT", iceberg_module.SNAPSHOTS_KEPT / (24 * 60))],
        a_publisher_sleeps_for_minutes,
    ),
    "does not look a refused file up in its manifest": Harm(
        lambda: [(publish_module, "_located", lambda _world, _batch, failure: failure)], a_run_blames_a_stranger
    ),
    "writes the order again after a deployment": Harm(
        lambda: [rewritten(submit_module, "_job_spec", "put_once", "put")], a_column_comes_while_a_run_is_started
    ),
}


def suffer(name: str, mutated: bool = True) -> str:
    """Play the scenario, with the mutant or without: what was noticed; nothing if all went well."""
    harm = HARMS[name]
    few_snapshots = (iceberg_module, "EXPIRED_AT_ONCE", 1)  # so that a small table expires as a large one does
    with applied([few_snapshots, *(harm.mutant() if mutated else [])]), world("plan", "load", "sweep") as it:
        try:
            harm.scenario(it)
        except Violation as broken:
            return str(broken)
    return ""
