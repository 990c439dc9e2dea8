"""What readers of lake and warehouse may see after any step: each batch in one attempt, never an older one again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests.simulation.iceberg import Contents, Ruined
from tests.simulation.job import Beside, DataStore, Row
from tests.simulation.latest_rows import LatestRows
from tests.simulation.nights import run_job
from tests.simulation.simulation import Simulation
from tests.simulation.violation import Violation
from tests.simulation.world import ADDED, SETTINGS
from tidemark.adapters.iceberg import ATTEMPT, BATCH
from tidemark.core.dataset import Table
from tidemark.core.lifecycle import Batch


class Readers:
    """Watches the tables of one simulation. After each step, checks only what the step has touched."""

    def __init__(self, simulation: Simulation) -> None:
        self.sim = simulation
        self.latest = LatestRows(simulation)
        self.attempts: dict[tuple[str, str, str], int] = {}  # (place, table, batch) → attempt shown
        self.lake_seen: dict[str, int] = {}
        self.lake_files: dict[tuple[str, str], tuple[str, ...]] = {}
        self.warehouse_seen = 0
        self.short: set[tuple[str, str]] = set()  # (table, batch) for which a COPY has left rows out
        self.outputs: dict[tuple[str, int], dict[str, list[Row]]] = {}

    def check(self) -> None:
        """Raise `Violation` if readers see rows that they must not see."""
        tables = [table for dataset in self.sim.declared.values() for table in dataset.tables]
        self._check_lake({table.physical_name: table for table in tables})
        if self.warehouse_seen != self.sim.redshift.changes:
            self.warehouse_seen = self.sim.redshift.changes
            for table in tables:
                self._check_warehouse(table)

    def output(self, batch_id: str, attempt: int) -> dict[str, list[Row]]:
        """Physical table → rows that an attempt must have written, from another run of the job on an overlay."""
        if (batch_id, attempt) not in self.outputs:
            dataset = batch_id.split(".", 1)[0]
            spec = (SETTINGS.control_bucket, f"batches/{dataset}/{batch_id}/{attempt:04d}/job_spec.json")
            data, objects = DataStore(under=self.sim.data), self.sim.s3.objects
            run_job(Beside(objects, self.sim.s3.raw), data, objects[spec], "check")
            self.outputs[(batch_id, attempt)] = {
                table.physical_name: [
                    row for uri in data.files if f"/tables/{table.name}/" in uri for row in _of_file(data, uri)
                ]
                for table in self.sim.declared[dataset].tables
            }
        return self.outputs[(batch_id, attempt)]

    def _check_lake(self, stored: dict[str, Table]) -> None:
        for (*_, name), contents in self.sim.catalog.tables.items():
            if self.lake_seen.get(name) == contents.version:
                continue
            self.lake_seen[name] = contents.version
            try:
                self.sim.catalog.rows(name)
            except Ruined as error:
                raise Violation(str(error)) from error
            if name in stored:
                self._check_stored(stored[name], contents)
            self.latest.check_lake(name)

    def _check_stored(self, table: Table, contents: Contents) -> None:
        name = table.physical_name
        by_batch: dict[str, list[str]] = {}
        if any("/batches/" not in uri for uri in contents.files):
            self._check_compacted(table)
            return
        for uri in contents.files:
            by_batch.setdefault(uri.split("/")[5], []).append(uri)
        for batch_id, uris in by_batch.items():
            if self.lake_files.get((name, batch_id)) != tuple(uris):
                self.lake_files[(name, batch_id)] = tuple(uris)
                rows = [row for uri in uris for row in _of_file(self.sim.data, uri)]
                self._check_batch("lake", table, batch_id, rows)

    def _check_compacted(self, table: Table) -> None:
        """Check a table in which another tool has put the rows of several batches into one file."""
        rows_of: dict[str, list[Row]] = {}
        for row in self._in_lake(table.physical_name):
            rows_of.setdefault(row[batch_at(table)], []).append(row)
        for batch_id, rows in rows_of.items():
            self._check_batch("lake", table, batch_id, rows)

    def _check_warehouse(self, table: Table) -> None:
        by_batch: dict[str, list[Row]] = {}
        for row in self._in_warehouse(table.physical_name):
            by_batch.setdefault(row[batch_at(table)], []).append(row)
        name = table.physical_name
        self.short = {one for one in self.short if one[0] != name or one[1] in by_batch}  # an attempt may have no rows
        for batch_id, rows in by_batch.items():
            self._check_batch("warehouse", table, batch_id, rows)
        if table.kind == "latest":
            self.latest.check_warehouse(table)

    def _check_batch(self, place: str, table: Table, batch_id: str, rows: list[Row]) -> None:
        """A batch's rows are exactly those of one attempt, and not of an older one than before."""
        name, at = table.physical_name, batch_at(table)
        attempts = sorted({row[at + 1] for row in rows})
        if len(attempts) != 1 or any(row[at] != batch_id for row in rows):
            raise Violation(f"{place}, {name}: rows of attempts {attempts} of {batch_id} at once")
        shown = self.attempts.get((place, name, batch_id), 0)
        if attempts[0] < shown:
            raise Violation(f"{place}, {name}: {batch_id} went back from attempt {shown} to {attempts[0]}")
        self.attempts[(place, name, batch_id)] = attempts[0]
        expected = self.output(batch_id, attempts[0])[name]
        right = len(rows) == len(expected) and Counter(rows) == Counter(expected)
        if place == "warehouse":
            self.short.discard((name, batch_id))
            if not right and (batch_id, attempts[0]) in self.sim.redshift.shorted:
                self.short.add((name, batch_id))  # settle has to notice it
                return
        if not right:
            raise Violation(
                f"{place}, {name}: {batch_id} attempt {attempts[0]} shows {len(rows)} rows, made {len(expected)}"
            )

    def committed(self, table: Table, batch: Batch) -> int:
        """Sequence number of the snapshot with the batch's attempt; 0 if the attempt needed none."""
        name = table.name if table.kind == "latest" else table.physical_name
        contents, noted = self.sim.catalog.named(name), (batch.batch_id, str(batch.attempt))
        numbered = enumerate(contents.snapshots if contents else (), start=1)
        return max((number for number, found in numbered if (found.get(BATCH), found.get(ATTEMPT)) == noted), default=0)

    def rows(self, name: str) -> dict[str, list[Row]]:
        """Lake or warehouse → the rows that it shows of a table."""
        return {
            "lake": self._in_lake(name),
            "warehouse": self._in_warehouse(name),
        }

    def _in_lake(self, name: str) -> list[Row]:
        contents = self.sim.catalog.named(name)
        return added_last(self.sim.catalog.rows(name), contents.schema.column_names) if contents else []

    def _in_warehouse(self, name: str) -> list[Row]:
        rows = self.sim.redshift.read(f'SELECT * FROM "{name}"')
        return added_last(rows, [column[1] for column in self.sim.redshift.read(f'PRAGMA table_info("{name}")')])


def batch_at(table: Table) -> int:
    """The position of the batch id in a row of the table, without columns added later."""
    return sum(column.name not in ADDED for column in table.columns)


def added_last(rows: list[Row], names: Sequence[str]) -> list[Row]:
    """The rows with added columns at the end; nulls in them are left out."""
    added = [at for at, name in enumerate(names) if name in ADDED]
    if not added or not rows:
        return rows
    first = [at for at, name in enumerate(names) if name not in ADDED]
    by_name = sorted(added, key=lambda at: names[at])
    return [tuple(row[at] for at in first) + _without_nulls(row[at] for at in by_name) for row in rows]


def _without_nulls(values: Iterable[Any]) -> Row:
    found = tuple(values)
    while found and found[-1] is None:
        found = found[:-1]
    return found


def _of_file(data: DataStore, uri: str) -> list[Row]:
    return added_last(data.files[uri][1], data.names.get(uri, ()))


def same_rows(what: str, expected: Counter[Any], shown: Counter[Any]) -> None:
    """Raise `Violation` unless both have the same rows, each equally often."""
    if shown != expected:
        missing, extra = expected - shown, shown - expected
        raise Violation(f"{what}: {missing.total()} rows lost, {extra.total()} too many")
