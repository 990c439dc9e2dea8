"""Which nightly jobs are due, and for which periods: marks of what was written against what was read. Pure.

Whoever commits rows to a table of the lake marks the days that it has touched with the table's sequence number, which
grows with every commit. A nightly batch remembers the sequence number of each snapshot that it has read. So a period is
due when a day that it reads bears a higher mark than its batch has read: rows came late, were replaced or taken out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from tidemark.core.dataset import Dataset, Nightly, Read
from tidemark.core.dataset_checks import predecessors
from tidemark.core.lifecycle import TO_BE_PUBLISHED, Batch
from tidemark.core.periods import DAY, Period

#: The mark of a table as a whole: somewhere in it rows have changed.
WHOLE = ""

Datasets = Mapping[str, Dataset]
DayChanges = Mapping[str, Mapping[str, int]]  # table → day (YYYY-MM-DD, or WHOLE) → sequence number of its last change
Known = Mapping[tuple[str, Period], Batch]


@dataclass(frozen=True)
class Due:
    """A period of a job that is to be computed, for the first time or again."""

    job: str
    period: Period
    reason: str
    waits_for: tuple[str, ...] = ()  # jobs before it that have the period's days still before them


def jobs_in_order(datasets: Datasets) -> list[str]:
    """Every nightly job, behind all that it comes after."""
    jobs = (name for name, dataset in datasets.items() if dataset.nightly)
    # Whoever comes after a job comes after all that the job comes after, and so has more predecessors.
    return sorted(jobs, key=lambda name: (len(predecessors(name, datasets)), name))


def successors(names: Collection[str], datasets: Datasets) -> list[str]:
    """The jobs that come after one of these, in order."""
    return [job for job in jobs_in_order(datasets) if (predecessors(job, datasets) - {job}) & set(names)]


def tables_read(datasets: Datasets) -> set[str]:
    """The tables whose marks matter to some job."""
    return {read.table for dataset in datasets.values() for read in _nightly(dataset).reads if dataset.nightly}


def read_days(read: Read, period: Period) -> tuple[date, date] | None:
    """The days that a job reads for a period, from the first to before the second; None for all rows."""
    return None if read.whole else (_first_day(read.back, period), period.end)


def periods_of(job: Dataset, day_changes: DayChanges, today: date, dates: Collection[date] = ()) -> list[Period]:
    """The job's periods that have ended and of whose own days there are rows, oldest first.

    A job that reads tables whole has the latest ended period alone. With `dates` the periods that these lie in count,
    ended or not, and no others.
    """
    nightly = _nightly(job)
    marked = [day_changes.get(read.table, {}) for read in nightly.reads]
    if all(read.whole for read in nightly.reads):
        return [_latest(nightly, today, dates)] if any(marked) else []
    dated = {day for read in nightly.reads if not read.whole for day in day_changes.get(read.table, {}) if day != WHOLE}
    periods = {Period.containing(nightly.every, date.fromisoformat(day)) for day in dated}
    if dates:
        return sorted(periods & {Period.containing(nightly.every, day) for day in dates})
    # By their starts first: there is no day after 9999-12-31, which some writers put for "never".
    return sorted(period for period in periods if period.start < today and period.end <= today)


def due(
    datasets: Datasets,
    day_changes: DayChanges,
    known: Known,
    today: date,
    jobs: Collection[str] | None = None,
    dates: Collection[date] = (),
) -> list[Due]:
    """Every period that is due, job by job in order, oldest first; of `jobs` alone where these are given.

    `known` are the batches of all `periods_of` all jobs. A period whose batch is under way is not due: it finishes
    first, and is due again if it must be.
    """
    found: list[Due] = []
    ahead = {key for key, batch in known.items() if batch.state in TO_BE_PUBLISHED}
    for name in jobs_in_order(datasets):
        if jobs is not None and name not in jobs:
            continue
        job = datasets[name]
        latest = _latest(_nightly(job), today, dates)
        before = predecessors(name, datasets) - {name}
        for period in periods_of(job, day_changes, today, dates):
            reason = _reason(job, period, day_changes, known.get((name, period)), period == latest)
            if reason:
                waits_for = _overlapping(_nightly(job), period, ((one, other) for one, other in ahead if one in before))
                found.append(Due(name, period, reason, waits_for))
        ahead |= {(one.job, one.period) for one in found if one.job == name}
    return found


def _reason(job: Dataset, period: Period, day_changes: DayChanges, batch: Batch | None, is_latest: bool) -> str:
    """Why the period is due; nothing where it is not."""
    if batch is None:
        return "not computed yet"
    if batch.state in TO_BE_PUBLISHED:
        return ""
    changes = (
        (_changed(read, period, day_changes.get(read.table, {}), batch.inputs.get(read.table, 0)), read.table)
        for read in _nightly(job).reads
        if is_latest or not read.whole
    )
    return next((f"{rows} changed in {table}" for rows, table in changes if rows), "")


def _changed(read: Read, period: Period, day_changes: Mapping[str, int], seen: int) -> str:
    """Which of the rows that it reads have changed since the table's snapshot `seen`; nothing where none have.

    Of a table that is read whole, days after the period do not count: they would make every period due again, always.
    """
    first, end = _first_day(read.back, period).isoformat(), period.end.isoformat()
    newer = sorted(day for day, mark in day_changes.items() if mark > seen)
    days = [day for day in newer if day != WHOLE and (read.whole or first <= day) and day < end]
    if days:
        return f"rows of {days[0]}" + (f" and {len(days) - 1} more" if len(days) > 1 else "")
    return "rows" if WHOLE in newer else ""


def _overlapping(nightly: Nightly, period: Period, ahead: Iterable[tuple[str, Period]]) -> tuple[str, ...]:
    """The jobs that have a period ahead of them of which this one reads a day."""
    if any(read.whole for read in nightly.reads):
        return tuple(sorted({job for job, _ in ahead}))
    first = _first_day(max(read.back for read in nightly.reads), period)
    return tuple(sorted({job for job, other in ahead if first < other.end and other.start < period.end}))


def _latest(nightly: Nightly, today: date, dates: Collection[date]) -> Period:
    if dates:
        return Period.containing(nightly.every, max(dates))
    return Period.containing(nightly.every, Period.containing(nightly.every, today).start - DAY)


def _first_day(back: int, period: Period) -> date:
    return date.fromordinal(max(1, period.start.toordinal() - back))


def _nightly(dataset: Dataset) -> Nightly:
    return dataset.nightly or Nightly("day", ())
