"""The gauges that sweep publishes, from hand-made views of the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidemark.core.batching import PendingSegment
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.health import FAILING_FROM, LedgerView, QuarantinedItem, TakenSegment, gauges
from tidemark.core.lifecycle import AT_REST, Batch, Counts, Failures, State
from tidemark.core.loading import Load

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
WEB = parse_dataset(
    {
        "name": "web",
        "prefix": "web/",
        "record": {"id": "string"},
        "tables": {"hits": {"columns": {"id": "string"}}},
        "tolerance": 0.1,
        "load": {"every": "1h"},
    }
)
DATASETS = {
    "web": WEB,
    "orders": replace(WEB, name="orders", tables=(replace(WEB.tables[0], deduplication_window=WEEK),)),
}
NAME = "web.20260301T110000.00000000"


def hours(count: float) -> datetime:
    """So long ago."""
    return NOW - timedelta(hours=count)


def batch(**changes: Any) -> Batch:
    begun = Batch(NAME, "web", hours(1), hours(1), state=State.PLANNED, due_at=NOW, segments=("s1",))
    return replace(begun, **changes)


def view(*unfinished: Batch, **parts: Any) -> LedgerView:
    nothing: dict[str, Any] = {"segments": (), "loads": (), "quarantined": (), "blemished": ()}
    return LedgerView(NOW, DATASETS, unfinished, **{**nothing, **parts})


def test_where_nothing_is_under_way_every_number_is_0() -> None:
    """None is left out."""
    assert set(gauges(view()).values()) == {0}


@pytest.mark.parametrize("state", [state for state in State if state not in AT_REST])
def test_overdue_batches_are_told_by_state(state: State) -> None:
    """Those of the other states are 0, and one that is not due yet does not count."""
    values = gauges(view(batch(state=state), batch(state=state, due_at=hours(-1))))
    counted = {name: value for name, value in values.items() if name.startswith("BatchesOverdue")}
    ones = {"BatchesOverdue", f"BatchesOverdue{state.capitalize()}"}
    assert counted == {name: int(name in ones) for name in counted}
    assert len(counted) == 6


@pytest.mark.parametrize(
    ("changes", "healthy", "too_long"),
    [
        ({"state": State.FORMING}, 0.9, 1.1),
        ({"state": State.FORMING, "period": "2026-02-28"}, 11.9, 12.1),
        ({"state": State.PLANNED}, 0.9, 1.1),
        ({"state": State.RUNNING}, 3.9, 4.1),
        ({"state": State.PUBLISHED}, 1.9, 2.1),
        ({"state": State.LOADING}, 1.9, 2.1),
        ({"state": State.PLANNED, "maybe_visible": True}, 0.9, 1.1),
    ],
)
def test_a_batch_is_stuck_after_more_than_a_healthy_wait(
    changes: dict[str, Any], healthy: float, too_long: float
) -> None:
    """Each state has its own: a run queues and works for hours, a published batch waits for its load policy."""
    waits = [gauges(view(batch(due_at=hours(wait), **changes)))["BatchesStuck"] for wait in (healthy, too_long)]
    assert waits == [0, 1]


def test_a_batch_that_waits_for_its_turn_is_not_stuck() -> None:
    """While another of the dataset runs; once none does, somebody has forgotten it."""
    waiting = batch(dataset="orders", due_at=hours(9))
    running = batch(dataset="orders", state=State.RUNNING, due_at=NOW)
    assert gauges(view(waiting, running))["BatchesStuck"] == 0
    assert gauges(view(waiting))["BatchesStuck"] == 1


@pytest.mark.parametrize("changes", [{}, {"maybe_visible": True}, {"period": "2026-02-28"}, {"parent": NAME}])
def test_three_failures_in_a_row_are_told(changes: dict[str, Any]) -> None:
    """Of new batches, of replays, whose lag begins anew with each failure, and of nights."""
    for count in (FAILING_FROM - 1, FAILING_FROM, FAILING_FROM + 1):
        values = gauges(view(batch(failures=Failures(runs=count, loads=count), **changes)))
        assert (values["RunsFailing"], values["LoadsFailing"]) == ((1, 1) if count >= FAILING_FROM else (0, 0))


@pytest.mark.parametrize(
    ("reason", "denied"),
    [
        ("Query #3 failed with ERROR: permission denied for schema public", 1),
        ("User: arn:aws:sts::1:assumed-role/job/j is not authorized to perform: s3:PutObject", 1),
        ('ERROR: column "permission denied" of relation "x" does not exist', 0),
        ("ThrottlingException: Rate exceeded", 0),
        ("", 0),
    ],
)
def test_a_missing_permission_is_told_at_once(reason: str, denied: int) -> None:
    """It does not go away by itself, so nothing is gained by waiting for the third failure."""
    assert gauges(view(batch(reason=reason)))["BatchesDenied"] == denied


def segment(age: float, batch_id: str = "") -> TakenSegment:
    return TakenSegment(PendingSegment("web", "s1", 1, 1, hours(age)), batch_id)


@pytest.mark.parametrize(
    ("taken", "count"),
    [(segment(5), 0), (segment(5, NAME), 0), (segment(5, "web.gone"), 1), (segment(1, "web.gone"), 0)],
)
def test_a_segment_is_orphaned_when_its_batch_is_not_under_way(taken: TakenSegment, count: int) -> None:
    """A free one waits for plan, and one just taken may be of a batch that the index does not know yet."""
    assert gauges(view(batch(state=State.FORMING), segments=[taken]))["Orphans"] == count


def test_a_load_is_orphaned_when_no_batch_is_in_it() -> None:
    """Its batches bring the hints that close it."""
    old, young = (Load(f"load.{age}", hours(age), ((NAME, 1),), ("web",)) for age in (5, 1))
    assert gauges(view(loads=[old, young]))["Orphans"] == 1
    assert gauges(view(batch(state=State.LOADING, load_id="load.5"), loads=[old, young]))["Orphans"] == 0


def test_what_is_left_of_undeclared_datasets_is_an_orphan() -> None:
    """No step looks at them."""
    assert gauges(view(undeclared_segments=3))["Orphans"] == 3


def test_quarantine_is_told_by_number_age_and_news() -> None:
    """Batches and files apart; the age is the oldest's."""
    items = [QuarantinedItem(hours(0.5), True), QuarantinedItem(hours(30), True), QuarantinedItem(hours(2), False)]
    values = gauges(view(quarantined=items))
    names = ("BatchesInQuarantine", "FilesInQuarantine", "QuarantinedLately", "QuarantineAgeSeconds")
    assert [values[name] for name in names] == [2, 1, 1, 30 * 3_600]


@pytest.mark.parametrize("state", [State.PUBLISHED, State.LOADING])
def test_blemishes_are_told_from_publication_on(state: State) -> None:
    """Readers of the lake see them before the warehouse has them."""
    blemished = {"state": state, "counts": Counts(read=100, kept=89, rejected=11, problems=2)}
    values = gauges(view(batch(**blemished)))
    assert (values["FilesUnreadLately"], values["ToleranceExceededLately"]) == (2, 1)


@pytest.mark.parametrize(("rejected", "count"), [(10, 0), (11, 1)])
def test_tolerance_is_the_datasets(rejected: int, count: int) -> None:
    """A tenth of the records may be bad; of a dataset that is not declared any more nobody knows."""
    loaded = batch(state=State.LOADED, due_at=None, counts=Counts(read=100, kept=100 - rejected, rejected=rejected))
    gone = replace(loaded, dataset="gone")
    assert gauges(view(blemished=[loaded, gone]))["ToleranceExceededLately"] == count


def test_lag_is_that_of_the_oldest_file_that_shows_nothing() -> None:
    """Pending files since they landed, new batches since they were formed, others since their last move."""
    replay = batch(maybe_visible=True, created_at=hours(90), updated_at=hours(1))
    night = batch(period="2026-02-28", created_at=hours(90))
    assert gauges(view(replay, night))["LagSeconds"] == 3_600
    assert gauges(view(batch(created_at=hours(3)), segments=[segment(2)]))["LagSeconds"] == 3 * 3_600
    assert gauges(view(segments=[segment(2), segment(4)]))["LagSeconds"] == 4 * 3_600
