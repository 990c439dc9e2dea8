"""What nightly jobs promise: no period too soon, too often, or before those that go first; and in the end all right."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import product
from typing import Any

from tests.simulation.job import Row
from tests.simulation.nights import DAILY, DAY_AT, READS, computed, days_read
from tests.simulation.readers import Readers, same_rows
from tests.simulation.simulation import Simulation
from tests.simulation.stage import POOL
from tests.simulation.violation import Violation
from tests.simulation.world import SETTINGS, SKEW_MAX
from tidemark.core.dataset import Table
from tidemark.core.lifecycle import TO_BE_PUBLISHED, Batch, State

POINTER = (SETTINGS.lake_bucket, f"artifacts/{DAILY}/current.json")


class NightWatch:
    """Watches the nightly batches of one simulation."""

    def __init__(self, simulation: Simulation, readers: Readers) -> None:
        self.sim, self.readers = simulation, readers
        #: (job, period) → how many invocations had begun when it got under way, and which of them brought it there.
        self.under_way: dict[tuple[str, str], tuple[int, int]] = {}
        self.pointer: tuple[str, int] = ("", 0)  # period and attempt of the artifacts
        self.broken: list[str] = []  # by the handler that runs, which must not catch what is said of it
        simulation.watchers.append(self._written)

    def _written(self, pk: str, sk: str, old: Any, new: Any) -> None:
        if pk.startswith("CHANGED#") and old and int(new["committed"]["N"]) < int(old["committed"]["N"]):
            self.broken.append(f"the mark of {pk} {sk} falls")
        if sk != "BATCH":
            return
        before, batch = self.sim.parse_batch(old) if old else None, self.sim.parse_batch(new)
        if before and before.state is State.RUNNING and batch.state is State.PUBLISHED:
            self._check_marked(before, batch)
        if not batch.period:
            return
        key = (batch.dataset, batch.period)
        if batch.state is State.FORMING and (before is None or before.state not in TO_BE_PUBLISHED):
            self._check_begun(before, batch)
        if batch.state in TO_BE_PUBLISHED:
            self.under_way.setdefault(key, (self.sim.invocations, self._invocation()))
        else:
            self.under_way.pop(key, None)

    def _check_begun(self, before: Batch | None, batch: Batch) -> None:
        """Its day is over, something that it reads has changed, and nobody whom the pass must have seen goes first."""
        if self.sim.function() == "person":
            return  # who replays a period has it computed at once, of what there is
        if batch.period >= (self.sim.stage.now() + SKEW_MAX).date().isoformat():
            self.broken.append(f"{batch.batch_id} is begun before its day is over")
        known = before.inputs if before else {}
        if not any(self._mark(table, day) > known.get(table, 0) for table, day in _days_read(batch)):
            self.broken.append(f"{batch.batch_id} is begun again, and nothing that it reads has changed")
        for table, day in _days_read(batch):
            begun, by = self.under_way.get((table, day), (self.sim.invocations, 0))
            if begun < self._invocation() or by == self._invocation():
                self.broken.append(f"{batch.batch_id} is begun while {table} of {day} is under way")

    def _check_marked(self, before: Batch, batch: Batch) -> None:
        """The days of its rows, and those of the rows that it replaces, bear marks as high as its commits."""
        made = [self.readers.output(batch.batch_id, attempt) for attempt in {batch.attempt, before.published} - {0}]
        for table in self.sim.declared[batch.dataset].tables:
            committed = self.readers.committed(table, batch)
            rows = [row for tables in made for row in tables[table.physical_name]]
            for day in _days_of(table, rows):
                if self._mark(table.name, day) < committed:
                    self.broken.append(f"{batch.batch_id} is PUBLISHED, {table.name} of {day or 'any day'} not marked")

    def _today(self) -> str:
        return self.sim.stage.now().date().isoformat()

    def _mark(self, table: str, day: str) -> int:
        item = self.sim.dynamodb.items.get(f"CHANGED#{table}", {}).get(f"DAY#{day}")
        return int(item["committed"]["N"]) if item else 0

    def _invocation(self) -> int:
        assert POOL.current, "only handlers write"
        return self.sim.invocation_of[POOL.current]

    def check(self) -> None:
        """After every step: artifacts never go back, and are those of an attempt that the lake has shown."""
        if self.broken:
            raise Violation(self.broken[0])
        body = self.sim.s3.objects.get(POINTER)
        if body is None:
            return
        found = json.loads(body)
        pointer = (found["period"], found["attempt"])
        if pointer == self.pointer:
            return
        if pointer < self.pointer:
            raise Violation(f"the artifacts went back from {self.pointer} to {pointer}")
        self.pointer = pointer
        rows = self.readers.output(found["batch_id"], found["attempt"])[DAILY]
        if rows and self.readers.attempts.get(("lake", DAILY, found["batch_id"]), 0) < found["attempt"]:
            raise Violation(f"the artifacts are those of {found['batch_id']}, which the lake does not show yet")

    def unfinished(self) -> list[str]:
        """Until a whole pass has found nothing due, after the last write that could have made something so."""
        waits = DAILY in self.sim.declared and self.sim.night_seen < self.sim.night_news
        return ["no pass has found yet that nothing is due"] if waits else []

    def check_rest(self, batches: Iterable[Batch]) -> None:
        """Each day that is over has its period, and its report is what comes of the rows that are shown."""
        if DAILY not in self.sim.declared:
            return
        known = {(batch.dataset, batch.period): batch for batch in batches}
        rows = {table: self.sim.catalog.rows(table) for table in DAY_AT}
        days = {row[DAY_AT["orders"]] for row in rows["orders"]}
        for job, day in product(READS, days):
            if day < self._today() and (job, day) not in known:
                raise Violation(f"{job} of {day} is lost: the day is over and was never computed")
        for batch in known.values():
            if batch.state is State.QUARANTINED:
                self._check_quarantine(batch)
            else:
                self._check_report(batch, rows)
        published = {batch.period: batch.published for batch in known.values() if batch.dataset == DAILY}
        latest = max(((day, attempt) for day, attempt in published.items() if attempt), default=("", 0))
        if self.pointer != latest:
            raise Violation(f"the artifacts are those of {self.pointer}, the latest ones those of {latest}")

    def _check_report(self, batch: Batch, rows: dict[str, list[Row]]) -> None:
        job, days = batch.dataset, _days_read(batch)
        read = {table: [row for row in rows[table] if (table, row[DAY_AT[table]]) in days] for table in READS[job]}
        expected = Counter(computed(job, batch.period, read))
        for place, shown in self.readers.rows(job).items():
            own = Counter(row[:-2] for row in shown if row[-2] == batch.batch_id)
            same_rows(f"{place}, {job} of {batch.period}", expected, own)

    def _check_quarantine(self, batch: Batch) -> None:
        runs = [run for run in self.sim.emr.runs if run.name.rpartition(".")[0] == batch.batch_id]
        unexplained = sum(run.outcome in ("unknown", "late", "empty") for run in runs)
        miscounted = any(run.outcome == "short" for run in runs) and "expected" in batch.reason
        vanished = any(words in batch.reason for words in ("NoSuchKey", "The specified key does not exist"))
        shorted = (batch.batch_id, batch.attempt) in self.sim.redshift.shorted and "rows in the wareh" in batch.reason
        if not miscounted and not vanished and not shorted and unexplained < 2:
            raise Violation(f"{batch.batch_id} is in quarantine though nothing is wrong with it: {batch.reason}")


def _days_read(batch: Batch) -> list[tuple[str, str]]:
    """(table, day) of all that a nightly batch reads."""
    return [(table, day) for table in READS[batch.dataset] for day in days_read(batch.dataset, table, batch.period)]


def _days_of(table: Table, rows: list[Row]) -> set[str]:
    """The days that change with such rows; "" where that may be any."""
    known = [column.name for column in table.columns].index(table.day) if table.day else None
    days = set() if known is None else {row[known] for row in rows} - {None}
    anywhere = rows and (table.kind == "latest" or not days)
    return days | ({""} if anywhere else set())
