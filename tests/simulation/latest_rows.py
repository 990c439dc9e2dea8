"""Invariants of `latest` tables: lake and warehouse show exactly one row of each key, the latest stored one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from tests.simulation.job import Row
from tests.simulation.simulation import Simulation
from tests.simulation.violation import Violation
from tidemark.adapters.iceberg import ATTEMPT, BATCH
from tidemark.core.dataset import Table


class LatestRows:
    """Checks both places: the warehouse changes stored and shown rows together, the lake in two commits."""

    def __init__(self, simulation: Simulation) -> None:
        self.sim = simulation
        self.ever: dict[str, set[Row]] = {}  # table → all rows that the lake has ever stored

    def check_warehouse(self, table: Table) -> None:
        """After every transaction, the shown rows are the latest stored ones."""
        read = self.sim.redshift.read
        stored, shown = (read(f'SELECT * FROM "{name}"') for name in (table.physical_name, table.name))
        _check("warehouse", table, stored, shown)

    def check_lake(self, changed: str) -> None:
        """No key is shown twice, every shown row was stored, and the rule holds unless a batch is between commits."""
        for table in self._tables():
            if changed not in (table.name, table.physical_name):
                continue
            stored, shown = (self.sim.catalog.rows(name) for name in (table.physical_name, table.name))
            ever = self.ever.setdefault(table.name, set())
            ever.update(stored)
            if set(shown) - ever:
                raise Violation(f"lake, {table.name} shows {(set(shown) - ever).pop()}, which was never stored")
            if self._between_commits(table):
                _check_once("lake", table, shown)
            else:
                _check("lake", table, stored, shown)

    def check_rest(self, quarantined: Collection[str]) -> None:
        """No batch is between its two commits any more, except quarantined ones."""
        for table in self._tables():
            left = self._between_commits(table) - set(quarantined)
            if left:
                raise Violation(f"lake, {table.name}: the rows of {left.pop()} are stored and not shown")

    def _tables(self) -> Iterable[Table]:
        tables = (table for dataset in self.sim.declared.values() for table in dataset.tables)
        return (table for table in tables if table.kind == "latest")

    def _between_commits(self, table: Table) -> set[str]:
        """The batches of which the shown rows do not yet reflect the stored attempt."""
        stored, shown = self._noted(table.physical_name), self._noted(table.name)
        key, batch = 0, len(table.columns)
        keyed = {row[batch] for row in self.sim.catalog.rows(table.physical_name) if row[key] is not None}
        return {
            batch_id
            for batch_id, attempt in stored.items()
            # A first attempt without any key shows nothing, so it makes no second commit.
            if shown.get(batch_id, 0) != attempt and (attempt > 1 or batch_id in keyed)
        }

    def _noted(self, name: str) -> dict[str, int]:
        """Batch → latest attempt noted in the table's snapshots."""
        table, found = self.sim.catalog.named(name), dict[str, int]()
        for summary in table.snapshots if table else ():
            if BATCH in summary:
                found[summary[BATCH]] = max(int(summary[ATTEMPT]), found.get(summary[BATCH], 0))
        return found


def _check(place: str, table: Table, stored: list[Row], shown: list[Row]) -> None:
    _check_once(place, table, shown)
    best: dict[Any, Any] = {}
    for row in stored:
        if row[0] is not None and (row[0] not in best or best[row[0]] < _rank(table, row)):
            best[row[0]] = _rank(table, row)
    wrong = {row[0]: _rank(table, row) for row in shown}.items() ^ best.items()
    if wrong:
        raise Violation(f"{place}, {table.name}: the row of {min(wrong)[0]} is lost, or not the latest")
    if set(shown) - set(stored):
        raise Violation(f"{place}, {table.name} shows {(set(shown) - set(stored)).pop()}, which is not stored")


def _check_once(place: str, table: Table, shown: list[Row]) -> None:
    twice = [key for key, times in Counter(row[0] for row in shown).items() if times > 1 or key is None]
    if twice:
        raise Violation(f"{place}, {table.name}: {twice[0]} is shown twice")


def _rank(table: Table, row: Row) -> tuple[Any, ...]:
    """The sort key of a row; the greatest is the latest. Versions of a file that landed in one second may be equal."""
    *own, batch, _, file, _, landed_at, ordinal = row
    first = [own[2]] if table.newest_by else []
    # Null is older than any value.
    return (*((value is not None, value or "") for value in (*first, landed_at, file)), ordinal, batch)
