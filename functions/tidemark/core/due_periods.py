"""Decides which nightly jobs are due, and for which periods. Pure.

Each commit to a lake table records, for every day whose rows it touched, the table's sequence number, which grows with
every commit: these are the day changes. A nightly batch stores the sequence number of each snapshot that it read. A
period is due when a day that it reads has changed after that snapshot: rows arrived late, were replaced or removed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from tidemark.core.dataset import Dataset, Nightly, Read
from tidemark.core.dataset_checks import predecessors
from tidemark.core.lifecycle import TO_BE_PUBLISHED, Batch
from tidemark.core.periods import DAY, Period

#: Stands for a day in the day changes: rows have changed, and it is not known on which days.
WHOLE = ""

Datasets = Mapping[str, Dataset]
DayChanges = Mapping[str, Mapping[str, int]]  # table → day (YYYY-MM-DD, or WHOLE) → sequence number of its last change
PeriodBatches = Mapping[tuple[str, Period], Batch]  # (job, period) → its batch


@dataclass(frozen=True)
class Due:
    """A period that a job has to compute, for the first time or again."""

    job: str
    period: Period
    reason: str
    waits_for: tuple[str, ...] = ()  # earlier jobs that have not yet computed days that this period reads


def jobs_in_order(datasets: Datasets) -> list[str]:
    """Every nightly job, each after all of its predecessors."""
    jobs = (name for name, dataset in datasets.items() if dataset.nightly)
    # A job has all the predecessors of its predecessors and these themselves, so it has more than any of them.
    return sorted(jobs, key=lambda name: (len(predecessors(name, datasets)), name))


def successors(names: Collection[str], datasets: Datasets) -> list[str]:
    """The jobs that run after any of the named ones, in order."""
    return [job for job in jobs_in_order(datasets) if (predecessors(job, datasets) - {job}) & set(names)]


def tables_read(datasets: Datasets) -> set[str]:
    """The tables that nightly jobs read, whose day changes therefore matter."""
    return {read.table for dataset in datasets.values() for read in _nightly(dataset).reads if dataset.nightly}


def read_days(read: Read, period: Period) -> tuple[date, date] | None:
    """The days [from, to) that a job reads for a period; None for all rows."""
    return None if read.whole else (_first_day(read.back, period), period.end)


def periods_of(job: Dataset, day_changes: DayChanges, today: date, dates: Collection[date] = ()) -> list[Period]:
    """The job's periods that have ended and have rows on their own days, oldest first.

    A job that reads all its tables whole has only one: the latest period that has ended. With `dates`, the periods that
    contain these dates instead, whether ended or not.
    """
    nightly = _nightly(job)
    if all(read.whole for read in nightly.reads):
        has_rows = any(day_changes.get(read.table) for read in nightly.reads)
        return [_latest_period(nightly, today, dates)] if has_rows else []
    days = {day for read in nightly.reads if not read.whole for day in day_changes.get(read.table, {}) if day != WHOLE}
    periods = {Period.containing(nightly.every, date.fromisoformat(day)) for day in days}
    if dates:
        return sorted(periods & {Period.containing(nightly.every, day) for day in dates})
    # The start is compared first: some writers put 9999-12-31 for "never", and the end of its period fits no date.
    return sorted(period for period in periods if period.start < today and period.end <= today)


def due(
    datasets: Datasets,
    day_changes: DayChanges,
    batches: PeriodBatches,
    today: date,
    jobs: Collection[str] | None = None,
    dates: Collection[date] = (),
) -> list[Due]:
    """Every period that is due, job by job in order, oldest first; only those of `jobs` where these are given.

    `batches` has the batch of each period in `periods_of` of every job, as far as there is one. A period whose batch is
    still to be published is not due: that batch finishes first, and then the period is due again if its rows changed.
    """
    due_periods: list[Due] = []
    unpublished = {key for key, batch in batches.items() if batch.state in TO_BE_PUBLISHED}
    for name in jobs_in_order(datasets):
        if jobs is not None and name not in jobs:
            continue
        job = datasets[name]
        latest = _latest_period(_nightly(job), today, dates)
        earlier = predecessors(name, datasets) - {name}
        waited_for = [(other, period) for other, period in unpublished if other in earlier]
        for period in periods_of(job, day_changes, today, dates):
            reason = _reason(job, period, day_changes, batches.get((name, period)), period == latest)
            if reason:
                due_periods.append(Due(name, period, reason, _jobs_read(_nightly(job), period, waited_for)))
        unpublished |= {(name, due_period.period) for due_period in due_periods if due_period.job == name}
    return due_periods


def _reason(job: Dataset, period: Period, day_changes: DayChanges, batch: Batch | None, is_latest: bool) -> str:
    """Why the period is due; "" where it is not."""
    if batch is None:
        return "not computed yet"
    if batch.state in TO_BE_PUBLISHED:
        return ""
    changes = (
        (_changed_rows(read, period, day_changes.get(read.table, {}), batch.inputs.get(read.table, 0)), read.table)
        for read in _nightly(job).reads
        if is_latest or not read.whole
    )
    return next((f"{rows} changed in {table}" for rows, table in changes if rows), "")


def _changed_rows(read: Read, period: Period, day_changes: Mapping[str, int], sequence_read: int) -> str:
    """Which rows of the table that the period reads have changed after sequence number `sequence_read`; "" if none.

    In a table that is read whole, days after the period do not count: they would make every period due again, always.
    """
    first, end = _first_day(read.back, period).isoformat(), period.end.isoformat()
    changed = sorted(day for day, sequence in day_changes.items() if sequence > sequence_read)
    days = [day for day in changed if day != WHOLE and (read.whole or first <= day) and day < end]
    if days:
        return f"rows of {days[0]}" + (f" and {len(days) - 1} more" if len(days) > 1 else "")
    return "rows" if WHOLE in changed else ""


def _jobs_read(nightly: Nightly, period: Period, candidates: Iterable[tuple[str, Period]]) -> tuple[str, ...]:
    """The jobs among the (job, period) candidates whose period shares a day with what `period` reads."""
    if any(read.whole for read in nightly.reads):
        return tuple(sorted({job for job, _ in candidates}))
    first = _first_day(max(read.back for read in nightly.reads), period)
    return tuple(sorted({job for job, other in candidates if first < other.end and other.start < period.end}))


def _latest_period(nightly: Nightly, today: date, dates: Collection[date]) -> Period:
    if dates:
        return Period.containing(nightly.every, max(dates))
    return Period.containing(nightly.every, Period.containing(nightly.every, today).start - DAY)


def _first_day(back: int, period: Period) -> date:
    return date.fromordinal(max(1, period.start.toordinal() - back))


def _nightly(dataset: Dataset) -> Nightly:
    return dataset.nightly or Nightly("day", ())
