"""Day changes that publish records for the nightly jobs: the days of a table whose rows a commit has changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tidemark.adapters.world import World
from tidemark.core.dataset import Table
from tidemark.core.due_periods import WHOLE
from tidemark.core.job import Result
from tidemark.core.lifecycle import Batch
from tidemark.service.documents import read_result


def record_day_changes(world: World, table: Table, sequence: int, results: Iterable[Result]) -> None:
    """Records that the commit `sequence` changed the table's rows on the days of these attempts."""
    for day in sorted(touched_days(table, results)):
        world.ledger.day_changes.record(table.name, day, sequence)


def touched_days(table: Table, results: Iterable[Result]) -> set[str]:
    """Returns the days on which these attempts have rows of the table; WHOLE where the days are unknown."""
    days: set[str] = set()
    for result in results:
        if result.rows.get(table.name):
            # A result lists no days for a table without a day column, or if every row's day is null.
            days.update(result.days.get(table.name) or (WHOLE,))
            if table.kind == "latest":
                days.add(WHOLE)  # a new row hides an older row of its key, which may have any day
    return days


def replaced_results(world: World, batch: Batch) -> list[Result]:
    """Returns the results of the earlier attempts whose rows the batch's present attempt may replace.

    These are all attempts from the last published one on, because an attempt may have failed between two tables.
    """
    attempts = range(max(1, batch.published), batch.attempt) if batch.maybe_visible else ()
    results = (read_result(world, replace(batch, attempt=attempt)) for attempt in attempts)
    return [result for result in results if result]
