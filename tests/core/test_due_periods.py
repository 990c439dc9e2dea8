"""Which periods of nightly jobs are due: by marks, in order, and at rest once computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemark.core.dataset import Dataset
from tidemark.core.dataset_checks import conflicting_declarations
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.due_periods import Due, due, jobs_in_order, periods_of, successors
from tidemark.core.lifecycle import Batch, State
from tidemark.core.periods import Period

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
TODAY = date(2026, 3, 20)
DAY_TABLE = {"columns": {"day": "date", "amount": "bigint"}, "day": "day"}


def files() -> Dataset:
    """A dataset with a table that knows days, and one that does not."""
    tables = {"sales": DAY_TABLE, "people": {"columns": {"name": "string(8)"}}}
    return parse_dataset({"name": "shop", "prefix": "shop/", "record": {"day": "date"}, "tables": tables})


def job(name: str, reads: Mapping[str, Any], **more: Any) -> Dataset:
    """A nightly job with a table of its own name."""
    return parse_dataset({"name": name, "every": "day", "reads": reads, "tables": {name: DAY_TABLE}, **more})


def declared(*jobs: Dataset) -> dict[str, Dataset]:
    datasets = {dataset.name: dataset for dataset in (files(), *jobs)}
    assert conflicting_declarations(datasets) == []
    return datasets


def batch(name: str, period: Period, state: State = State.LOADED, **inputs: int) -> Batch:
    return Batch(f"{name}.{period.name}", name, NOON, NOON, state, period=period.name, inputs=inputs)


def day(text: str) -> Period:
    return Period("day", date.fromisoformat(text))


def names(found: list[Due]) -> list[tuple[str, str]]:
    return [(one.job, one.period.name) for one in found]


TOTALS = job("totals", {"sales": "period"})
RECENT = job("recent", {"sales": {"back": "2d"}})
MONTHLY = job("monthly", {"sales": "period"}, every="month")
TRENDS = job("trends", {"totals": {"back": "2d"}})
GROUPS = job("groups", {"people": "whole"})
REPORT = job("report", {"sales": "period"}, after=["totals"])


def test_a_day_with_rows_is_due_once_it_has_ended() -> None:
    """Yesterday is, today and what writers date into the far future are not."""
    day_changes = {"sales": {"2026-03-19": 4, "2026-03-20": 5, "9999-12-31": 1, "0001-01-01": 1}}
    assert due(declared(TOTALS), day_changes, {}, TODAY) == [
        Due("totals", day("0001-01-01"), "not computed yet"),
        Due("totals", day("2026-03-19"), "not computed yet"),
    ]


def test_a_day_is_due_again_when_its_mark_is_higher_than_what_was_read() -> None:
    """The snapshot that the batch has read bears the number 4: 4 was in it, 5 was not."""
    known = {("totals", day(one)): batch("totals", day(one), sales=4) for one in ("2026-03-17", "2026-03-18")}
    day_changes = {"sales": {"2026-03-17": 4, "2026-03-18": 5}}
    assert due(declared(TOTALS), day_changes, known, TODAY) == [
        Due("totals", day("2026-03-18"), "rows of 2026-03-18 changed in sales")
    ]


@pytest.mark.parametrize("state", [State.PUBLISHED, State.LOADING, State.LOADED, State.QUARANTINED])
def test_a_batch_is_restated_from_any_state_that_readers_or_people_see(state: State) -> None:
    """What has been published, or has failed for good, is computed again when its rows have changed."""
    known = {("totals", day("2026-03-18")): batch("totals", day("2026-03-18"), state, sales=4)}
    assert due(declared(TOTALS), {"sales": {"2026-03-18": 5}}, known, TODAY)


@pytest.mark.parametrize("state", [State.FORMING, State.PLANNED, State.RUNNING])
def test_a_batch_under_way_finishes_first(state: State) -> None:
    """Rows that keep coming late cannot keep a run from ever ending."""
    known = {("totals", day("2026-03-18")): batch("totals", day("2026-03-18"), state, sales=4)}
    assert due(declared(TOTALS), {"sales": {"2026-03-18": 5}}, known, TODAY) == []


def test_days_before_the_period_count_as_far_as_the_job_reads_back() -> None:
    """A change on the 15th touches the periods of the 15th, 16th and 17th; days without rows of their own have none."""
    day_changes = {"sales": {f"2026-03-{one}": 3 for one in (14, 15, 16, 17, 18)}}
    known = {("recent", day(name)): batch("recent", day(name), sales=3) for name in day_changes["sales"]}
    day_changes["sales"]["2026-03-15"] = 4
    found = due(declared(RECENT), day_changes, known, TODAY)
    assert names(found) == [("recent", f"2026-03-{one}") for one in (15, 16, 17)]
    assert {one.reason for one in found} == {"rows of 2026-03-15 changed in sales"}


def test_a_month_is_due_when_it_is_over_and_a_changed_day_restates_it_whole() -> None:
    """In March only February is looked at, and by any of its days."""
    day_changes = {"sales": {"2026-02-03": 2, "2026-02-27": 7, "2026-02-28": 8, "2026-03-01": 9}}
    february = Period("month", date(2026, 2, 1))
    known = {("monthly", february): batch("monthly", february, sales=2)}
    assert due(declared(MONTHLY), day_changes, {}, TODAY) == [Due("monthly", february, "not computed yet")]
    assert due(declared(MONTHLY), day_changes, known, TODAY) == [
        Due("monthly", february, "rows of 2026-02-27 and 1 more changed in sales")
    ]


def test_a_table_read_whole_makes_the_latest_ended_period_due_alone() -> None:
    """However often it has changed before; and again when it changes after."""
    day_changes = {"people": {"": 7}}
    yesterday = day("2026-03-19")
    datasets = declared(GROUPS)
    assert names(due(datasets, day_changes, {}, TODAY)) == [("groups", "2026-03-19")]
    known = {("groups", yesterday): batch("groups", yesterday, people=7)}
    assert due(datasets, day_changes, known, TODAY) == []
    assert due(datasets, {"people": {"": 8}}, known, TODAY) == [Due("groups", yesterday, "rows changed in people")]


def test_a_table_read_whole_does_not_restate_for_days_after_the_period() -> None:
    """Rows of this morning do not make yesterday due again with every batch that is published."""
    groups = job("groups", {"sales": "whole"})
    yesterday = day("2026-03-19")
    known = {("groups", yesterday): batch("groups", yesterday, sales=7)}
    assert due(declared(groups), {"sales": {"2026-03-20": 9}}, known, TODAY) == []
    assert due(declared(groups), {"sales": {"2026-01-01": 9}}, known, TODAY)


def test_a_table_that_changed_nobody_knows_where_restates_what_was_computed() -> None:
    """The mark of a table as a whole stands for every day of it."""
    known = {("totals", day("2026-03-18")): batch("totals", day("2026-03-18"), sales=4)}
    day_changes = {"sales": {"2026-03-18": 4, "": 6}}
    assert due(declared(TOTALS), day_changes, known, TODAY) == [
        Due("totals", day("2026-03-18"), "rows changed in sales")
    ]


def test_jobs_stand_in_order_by_after_and_by_what_they_read() -> None:
    """Whoever reads another job's table, or is declared to come after it, stands behind it."""
    datasets = declared(REPORT, TRENDS, GROUPS, TOTALS)
    order = jobs_in_order(datasets)
    assert sorted(order) == ["groups", "report", "totals", "trends"]
    assert order.index("totals") < min(order.index("report"), order.index("trends"))
    assert successors(["totals"], datasets) == ["report", "trends"]
    assert successors(["trends", "groups"], datasets) == []


def test_a_job_waits_for_the_days_that_a_job_before_it_has_ahead() -> None:
    """Both are due on the 18th: the second waits for the first, but not where the first is done."""
    datasets = declared(TOTALS, REPORT)
    known = {("totals", day("2026-03-17")): batch("totals", day("2026-03-17"), sales=4)}
    found = due(datasets, {"sales": {"2026-03-17": 4, "2026-03-18": 5}}, known, TODAY)
    waiting = {(one.job, one.period.name): one.waits_for for one in found}
    assert waiting == {
        ("totals", "2026-03-18"): (), ("report", "2026-03-17"): (), ("report", "2026-03-18"): ("totals",),
    }  # fmt: skip


def test_a_job_waits_while_a_job_before_it_is_under_way_with_a_day_that_it_reads_back_to() -> None:
    """The trend of the 18th reads the 16th, which runs; that of the 19th no longer does."""
    datasets = declared(TOTALS, TRENDS)
    known = {("totals", day("2026-03-16")): batch("totals", day("2026-03-16"), State.RUNNING, sales=1)}
    for one in ("2026-03-18", "2026-03-19"):
        known["totals", day(one)] = batch("totals", day(one), sales=1)
    day_changes = {
        "sales": {"2026-03-16": 1, "2026-03-18": 1, "2026-03-19": 1},
        "totals": {"2026-03-18": 1, "2026-03-19": 2},
    }
    found = due(datasets, day_changes, known, TODAY)
    assert [(one.period.name, one.waits_for) for one in found] == [("2026-03-18", ("totals",)), ("2026-03-19", ())]


def test_jobs_that_were_not_asked_for_hold_nobody_up() -> None:
    """What follows a published job is looked at alone: late rows for the first job wait for the next night."""
    datasets = declared(TOTALS, REPORT)
    found = due(datasets, {"sales": {"2026-03-18": 5}}, {}, TODAY, jobs=["report"])
    assert found == [Due("report", day("2026-03-18"), "not computed yet")]


def test_a_person_may_name_dates_that_have_not_ended() -> None:
    """Only the periods of these dates are looked at, as far as there are rows of them."""
    day_changes = {"sales": {"2026-03-18": 5, "2026-03-20": 6}}
    dates = [date(2026, 3, 20), date(2026, 3, 21)]
    assert names(due(declared(TOTALS), day_changes, {}, TODAY, dates=dates)) == [("totals", "2026-03-20")]
    month = due(declared(MONTHLY), day_changes, {}, TODAY, dates=dates)
    assert names(month) == [("monthly", "2026-03-01")]


# ── A world in miniature: commits with rising numbers, and jobs that read what stands ───────────────────────

CHAIN = declared(TOTALS, RECENT, MONTHLY, TRENDS, GROUPS, REPORT)
MARKED = st.tuples(st.sampled_from(("sales", "people")), st.dates(date(2026, 2, 20), date(2026, 3, 20)))


@dataclass
class Miniature:
    """The lake as marks, and the batches of the jobs."""

    day_changes: dict[str, dict[str, int]] = field(default_factory=dict)
    known: dict[tuple[str, Period], Batch] = field(default_factory=dict)
    commits: int = 0

    def change(self, table: str, when: date) -> None:
        """Somebody commits rows of a day."""
        self.commits += 1
        self.day_changes.setdefault(table, {})["" if table == "people" else when.isoformat()] = self.commits

    def compute(self, found: Due) -> None:
        """The job reads all that is committed, and commits a row of the period's first day."""
        reads = CHAIN[found.job].nightly.reads  # type: ignore[union-attr]
        seen = {read.table: max(self.day_changes.get(read.table, {}).values(), default=0) for read in reads}
        self.known[found.job, found.period] = batch(found.job, found.period, **seen)
        self.change(found.job, found.period.start)

    def run(self) -> list[Due]:
        """Night after night until nothing is due; everything that was computed, in order."""
        done: list[Due] = []
        while found := [one for one in due(CHAIN, self.day_changes, self.known, TODAY) if not one.waits_for]:
            for one in found:
                self.compute(one)
            done += found
            assert len(done) < 2_000, "it never comes to rest"
        return done


@settings(max_examples=60)
@given(st.lists(MARKED, max_size=12))
def test_once_all_is_computed_nothing_is_due(changes: list[tuple[str, date]]) -> None:
    """Nobody waits for ever, nobody runs twice for the same rows: one night brings all to rest."""
    world = Miniature()
    for change in changes:
        world.change(*change)
    done = world.run()
    assert due(CHAIN, world.day_changes, world.known, TODAY) == []
    assert len({(one.job, one.period) for one in done}) == len(done)


@settings(max_examples=60)
@given(st.lists(MARKED, min_size=1, max_size=10), st.data())
def test_a_changed_day_restates_the_periods_that_read_it_and_no_other(
    changes: list[tuple[str, date]], data: st.DataObject
) -> None:
    """At rest, a day changes: due are exactly the periods that read it, then those that read what these wrote."""
    world = Miniature()
    for change in changes:
        world.change(*change)
    world.run()
    table, when = data.draw(st.sampled_from(changes))
    world.change(table, when)
    touched = {("sales" if table == "sales" else "people", when)}
    expected = set()
    for name in jobs_in_order(CHAIN):
        for period in periods_of(CHAIN[name], world.day_changes, TODAY):
            if any(reads(CHAIN[name], period, *one) for one in touched):
                expected.add((name, period.name))
                touched.add((name, period.start))
    assert set(names(world.run())) == expected


def reads(dataset: Dataset, period: Period, table: str, when: date) -> bool:
    """Whether the job reads that day of that table for the period, told by the days one by one."""
    nightly = dataset.nightly
    assert nightly
    for read in nightly.reads:
        first = period.days[0].toordinal() - read.back
        if read.table == table and (read.whole or first <= when.toordinal() <= period.days[-1].toordinal()):
            return True
    return False
