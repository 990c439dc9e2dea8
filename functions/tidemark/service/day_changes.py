"""Marks that publish sets: which days of a table have other rows now than before."""

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
    """Note, for the nightly jobs, that the days of these attempts have changed in the table by that commit."""
    for day in sorted(touched_days(table, results)):
        world.ledger.day_changes.record(table.name, day, sequence)


def touched_days(table: Table, results: Iterable[Result]) -> set[str]:
    """The days on which these attempts have rows of the table; WHOLE where that cannot be told."""
    days: set[str] = set()
    for result in results:
        if result.rows.get(table.name):
            # None are told of a table that has no day, and of rows whose day is null.
            days.update(result.days.get(table.name) or (WHOLE,))
            if table.kind == "latest":
                days.add(WHOLE)  # a key's newer row hides an older one, of whatever day
    return days


def replaced_results(world: World, batch: Batch) -> list[Result]:
    """What the attempts reported whose rows the batch's present attempt replaces.

    After an attempt that nobody saw through, older rows may still stand beside it: all since the last published one.
    """
    attempts = range(max(1, batch.published), batch.attempt) if batch.maybe_visible else ()
    found = (read_result(world, replace(batch, attempt=attempt)) for attempt in attempts)
    return [result for result in found if result]
