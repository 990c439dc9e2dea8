"""What sweep tells, and that the template's alarms ring for it and fall silent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local.stack.template import expand, load
from tests.conftest import ROOT
from tests.service.nights import DATASETS, NightWorld, advance
from tidemark.clock import iso
from tidemark.core.files import FileVersion
from tidemark.core.health import FAILING_FROM
from tidemark.core.lifecycle import Batch, Counts, Failures, State
from tidemark.core.loading import Load
from tidemark.observability import GAUGES, metrics
from tidemark.service.nightly import nightly
from tidemark.service.sweep import sweep

Json = Any
RESOURCES = expand(load(ROOT / "template.yaml"))["Resources"]
#: Alarms on what sweep tells, by logical id.
ALARMS: dict[str, Json] = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::CloudWatch::Alarm" and resource["Properties"]["Namespace"] == "Tidemark"
}
PARAMETERS = expand(load(ROOT / "template.yaml"))["Parameters"]
FILE = FileVersion("raw", "shop/1.json", "v1", 10, "2026-11-22T00:00:00Z")
NAME = "shop.20261122T000000.00000001"
#: The service of the metrics → how the template writes it.
STACK = {"tidemark": {"Ref": "AWS::StackName"}}


@pytest.fixture(autouse=True)
def told_afresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Metrics are on, whatever ran before in this process; what a test lets sweep tell is not told by the next."""
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    metrics.clear_metrics()
    yield
    metrics.clear_metrics()


def told(world: NightWorld, capsys: pytest.CaptureFixture[str]) -> Json:
    """What CloudWatch reads of a sweep: the line that the function's log gets."""
    capsys.readouterr()
    metrics.log_metrics(lambda event, context: sweep(world))({}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    *of_datasets, of_all = lines
    assert all("dataset" in line for line in of_datasets)
    return of_all


def rings(alarm: Json, blob: Json) -> bool:
    """Whether the alarm's condition holds of what was told; the metric must be told as the alarm names it."""
    directive = blob["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == alarm["Namespace"]
    assert [{"Name": name, "Value": STACK[blob[name]]} for name in directive["Dimensions"][0]] == alarm["Dimensions"]
    (value,) = blob[alarm["MetricName"]]
    threshold = alarm["Threshold"]
    least = PARAMETERS[threshold["Ref"]]["Default"] if isinstance(threshold, dict) else threshold
    above = {"GreaterThanThreshold": value > least, "LessThanThreshold": value < least}
    return above[alarm["ComparisonOperator"]]


def batch(world: NightWorld, **changes: Any) -> Batch:
    """A batch of the shop, in the ledger."""
    now = world.clock.now()
    fields = {"state": State.PLANNED, "due_at": None if changes.get("state") in RESTING else now, **changes}
    return world.ledger.batches.save(replace(Batch(NAME, "shop", now, now), **fields))


RESTING = (State.LOADED, State.QUARANTINED)


def quarantined_batch(world: NightWorld) -> None:
    batch(world, state=State.QUARANTINED)


def quarantined_file(world: NightWorld) -> None:
    world.ledger.files.refuse(batch(world), FILE)


def failing_run(world: NightWorld) -> None:
    batch(world, failures=Failures(runs=FAILING_FROM))


def failing_load(world: NightWorld) -> None:
    batch(world, state=State.PUBLISHED, failures=Failures(loads=FAILING_FROM))


def denied_run(world: NightWorld) -> None:
    reason = "s3://raw/shop/a: An error occurred (AccessDenied) when calling the GetObject operation: Access Denied"
    batch(world, failures=Failures(runs=1), reason=reason)


def denied_load(world: NightWorld) -> None:
    reason = "Query #3 failed with ERROR: permission denied for schema public"
    batch(world, state=State.PUBLISHED, failures=Failures(loads=1), reason=reason)


def batch_that_stands_still(world: NightWorld) -> None:
    batch(world)
    advance(world, hours=5)


def segment_of_a_dataset_that_is_gone(world: NightWorld) -> None:
    world.ledger.declarations.register("old_shop", {**DATASETS["shop"].declared, "name": "old_shop"})
    world.ledger.segments.put("old_shop", [FILE], world.clock.now())


def segment_of_a_batch_that_is_gone(world: NightWorld) -> None:
    world.ledger.segments.put("shop", [FILE], world.clock.now())
    taken = world.ledger.segments.pending("shop")[0].sk
    begun = world.ledger.batches.begin(
        replace(Batch(NAME, "shop", world.clock.now(), world.clock.now()), segments=(taken,))
    )
    world.ledger.batches.save(replace(begun, state=State.EMPTY))
    advance(world, hours=5)


def load_that_no_batch_is_in(world: NightWorld) -> None:
    world.ledger.loads.begin(Load("load.1", world.clock.now(), ((NAME, 1),), ("shop",)), [])
    advance(world, hours=5)


def item_of_a_newer_release(world: NightWorld) -> None:
    saved = batch(world)
    item = {**world.ledger.table.get(f"BATCH#{saved.batch_id}", "BATCH"), "format": {"N": "2"}}  # type: ignore[dict-item]
    world.client("dynamodb").put_item(TableName=world.settings.ledger_table, Item=item)


def file_not_read_to_its_end(world: NightWorld) -> None:
    batch(world, state=State.LOADED, counts=Counts(read=9, kept=9, problems=1))


def too_much_rejected(world: NightWorld) -> None:
    batch(world, state=State.LOADED, counts=Counts(read=9, kept=8, rejected=1))


def file_that_waits(world: NightWorld) -> None:
    world.ledger.segments.put("shop", [FILE], world.clock.now())
    advance(world, hours=5)


def night_that_was_missed(world: NightWorld) -> None:
    nightly(world)
    advance(world, hours=27)


def pass_of_reconcile_that_is_missing(world: NightWorld) -> None:
    sweep(world)
    metrics.clear_metrics()
    advance(world, hours=49)


def whole_pass_of_reconcile_that_is_missing(world: NightWorld) -> None:
    sweep(world)
    metrics.clear_metrics()
    advance(world, hours=61 * 24)


CONDITIONS: list[tuple[Callable[[NightWorld], None], str]] = [
    (quarantined_batch, "QuarantinedAlarm"),
    (quarantined_batch, "QuarantinedLatelyAlarm"),
    (quarantined_file, "FilesRefusedAlarm"),
    (quarantined_file, "QuarantinedLatelyAlarm"),
    (failing_run, "RunsFailingAlarm"),
    (failing_load, "LoadsFailingAlarm"),
    (denied_run, "DeniedAlarm"),
    (denied_load, "DeniedAlarm"),
    (batch_that_stands_still, "StuckAlarm"),
    (segment_of_a_dataset_that_is_gone, "OrphansAlarm"),
    (segment_of_a_batch_that_is_gone, "OrphansAlarm"),
    (load_that_no_batch_is_in, "OrphansAlarm"),
    (item_of_a_newer_release, "NewerItemsAlarm"),
    (file_not_read_to_its_end, "FilesUnreadAlarm"),
    (too_much_rejected, "ToleranceAlarm"),
    (file_that_waits, "LagAlarm"),
    (night_that_was_missed, "NightMissedAlarm"),
    (pass_of_reconcile_that_is_missing, "ReconcileMissedAlarm"),
    (whole_pass_of_reconcile_that_is_missing, "WholeReconcileMissedAlarm"),
]


@pytest.mark.parametrize(("make", "name"), CONDITIONS)
def test_what_people_must_know_rings_its_alarm(
    world: NightWorld, capsys: pytest.CaptureFixture[str], make: Callable[[NightWorld], None], name: str
) -> None:
    """At every sweep while it lasts, and not only once: a sweep that crashes loses nothing."""
    make(world)
    assert [rings(ALARMS[name], told(world, capsys)) for _ in range(2)] == [True, True]


def test_every_alarm_on_our_own_metrics_has_its_condition_here() -> None:
    """But the one on sweep's own silence."""
    assert {name for _, name in CONDITIONS} | {"SweepSilentAlarm"} == set(ALARMS)


def test_where_all_is_well_every_gauge_is_told_and_no_alarm_rings(
    world: NightWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 0 that is not told would leave an alarm ringing for ever."""
    nightly(world)
    batch(world, state=State.LOADED, counts=Counts(read=9, kept=9))
    blob = told(world, capsys)
    assert {metric["Name"] for metric in blob["_aws"]["CloudWatchMetrics"][0]["Metrics"]} == set(GAUGES)
    assert [name for name, alarm in ALARMS.items() if rings(alarm, blob)] == []


def test_what_is_over_rings_for_an_hour_and_no_longer(world: NightWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """So that the next one rings again; what still waits goes on being told."""
    batch(world, state=State.QUARANTINED)
    batch(
        world,
        batch_id="shop.20261122T000000.00000002",
        state=State.LOADED,
        counts=Counts(read=9, kept=8, rejected=1, problems=1),
    )
    advance(world, minutes=59)
    early = told(world, capsys)
    advance(world, minutes=2)
    late = told(world, capsys)
    names = ("QuarantinedLately", "FilesUnreadLately", "ToleranceExceededLately", "BatchesInQuarantine")
    assert [early[name] for name in names] == [[1.0]] * 4
    assert [late[name] for name in names] == [[0.0], [0.0], [0.0], [1.0]]
    assert late["QuarantineAgeSeconds"] == [61 * 60]


def test_files_of_a_dataset_that_was_taken_out_are_told_until_none_is_left(
    world: NightWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name in the ledger is all that leads to them: the ledger is never scanned."""
    segment_of_a_dataset_that_is_gone(world)
    assert told(world, capsys)["Orphans"] == [1]
    world.ledger.segments.delete("old_shop", world.ledger.segments.pending("old_shop")[0].sk)
    assert told(world, capsys)["Orphans"] == [0]


def test_batches_of_a_dataset_that_was_taken_out_are_told_while_they_are_under_way(
    world: NightWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """They continue by its last declaration, so no alarm rings."""
    assert told(world, capsys)["UndeclaredBatches"] == [0]
    world.ledger.declarations.register("old_shop", {**DATASETS["shop"].declared, "name": "old_shop"})
    batch(world, batch_id="old_shop.20261122T000000.00000001", dataset="old_shop")
    blob = told(world, capsys)
    assert (blob["UndeclaredBatches"], blob["Orphans"]) == ([1], [0])


def test_the_age_of_the_last_pass_is_told_for_each_dataset_and_for_the_oldest(
    world: NightWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that never had a pass counts from the first sweep that saw it; nightly ones, and those taken out, do not."""
    sweep(world)
    metrics.clear_metrics()
    advance(world, hours=5)
    assert told(world, capsys)["ReconcileAgeSeconds"] == [5 * 3600]
    now = world.clock.now()
    world.ledger.controls.set("RECONCILED#old_shop", {"began": iso(now - timedelta(days=90))})
    world.ledger.controls.set("RECONCILED#shop", {"began": iso(now - timedelta(hours=2)), "whole": iso(now), "keys": 9})
    blob = told(world, capsys)
    assert (blob["ReconcileAgeSeconds"], blob["WholeReconcileAgeSeconds"]) == ([7200], [0])


def test_the_age_of_each_dataset_is_a_metric_with_its_name(
    world: NightWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that people see which one it is; no alarm is on it."""
    world.ledger.controls.set("RECONCILED#shop", {"began": iso(world.clock.now() - timedelta(hours=2))})
    capsys.readouterr()
    sweep(world)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    blob = json.loads(line)
    directive = blob["_aws"]["CloudWatchMetrics"][0]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Tidemark", [["service", "dataset"]])
    assert (blob["service"], blob["dataset"], blob["ReconcileAgeSeconds"]) == ("tidemark", "shop", [7200])


def test_a_bus_that_takes_no_hints_does_not_silence_the_gauges(
    world: NightWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep fails, and is not told as seen through; what it found is."""

    def refuse(**_: Any) -> None:
        raise ConnectionError("no bus")

    quarantined_batch(world)
    batch(world, batch_id="shop.20261122T000000.00000002")
    monkeypatch.setattr(world.client("events"), "put_events", refuse)
    with pytest.raises(ConnectionError):
        metrics.log_metrics(lambda event, context: sweep(world))({}, None)
    blob = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert blob["BatchesInQuarantine"] == [1.0]
    assert "Sweeps" not in blob


def test_a_sweep_scans_nothing_and_asks_as_often_however_much_there_is(
    world: NightWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queries per dataset and a few more: fifty batches cost as many calls as none."""
    calls: list[str] = []
    monkeypatch.setattr(
        world.client("dynamodb"), "_make_api_call", _counted(world.client("dynamodb")._make_api_call, calls)
    )
    sweep(world)  # remembers the datasets
    calls.clear()
    sweep(world)
    idle = sorted(calls)
    for number in range(50):
        state = State.QUARANTINED if number % 2 else State.PLANNED
        batch(world, batch_id=f"shop.20261122T000000.{number:08x}", state=state)
    calls.clear()
    sweep(world)
    assert sorted(calls) == idle
    assert set(idle) == {"Query", "GetItem"}


def _counted(call: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    def counted(operation: str, parameters: Any) -> Any:
        calls.append(operation)
        return call(operation, parameters)

    return counted
