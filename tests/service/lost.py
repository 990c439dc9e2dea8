"""A shop whose ledger can be lost: what its batches have left in buckets, lake, warehouse and EMR, as a test says.

All of it lies in memory, in the simulation's clients, or in doubles of the few methods that recovery asks.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.service.nights import DATASETS, SETTINGS, NightWorld, Now
from tests.simulation.dynamodb import SimDynamoDB
from tests.simulation.job import DataStore
from tests.simulation.s3 import SimS3
from tidemark.core.dataset import Dataset
from tidemark.core.errors import Terminal
from tidemark.core.files import FileVersion
from tidemark.core.job import FAILURE, JOB_SPEC, RESULT, DataFile, FileCount, JobSpec, Result, RunFailure
from tidemark.core.lifecycle import Batch, Counts, State
from tidemark.core.manifest import Manifest
from tidemark.core.naming import attempt_prefix, dataset_name, run_name

SHOP = DATASETS["shop"]
ONE, TWO = "shop.20261119T080000.aaaaaaaa", "shop.20261120T080000.bbbbbbbb"
LOAD = "load.20261120T090000.cccccccc"
A, B = FileVersion("raw", "shop/a", "v1", 1, None, "0A"), FileVersion("raw", "shop/b", "v1", 1, None, "0B")
DAY = "2026-11-19"


class Tables:
    """The warehouse over SQLite, in Redshift's words; of an adapter's methods only `read`."""

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        self.database.execute("ATTACH ':memory:' AS tidemark")

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self.database.execute(sql).fetchall()
        except sqlite3.OperationalError as error:
            raise Terminal(re.sub(r"no such table: (\S+)", r'relation "\1" does not exist', str(error))) from error


@dataclass
class Tally:
    """The lake: rows by table, batch and attempt. Every table's latest commit is its seventh."""

    tables: dict[str, dict[str, dict[int, int]]] = field(default_factory=dict)

    def shown(self, name: str) -> dict[str, dict[int, int]]:
        return self.tables.get(name, {})

    def sequence(self, name: str) -> int:
        return 7


@dataclass
class ListedRuns:
    """EMR, the latest run first."""

    runs: list[dict[str, str]] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)  # since when

    def list_job_runs(self, createdAtAfter: Any, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.asked.append(createdAtAfter)
        return {"jobRuns": self.runs}


def undisturbed(_: str, effect: Callable[[], Any], once: bool = False) -> Any:
    """A call of a simulated client, without any fault."""
    return effect()


class Shop:
    """The world, and what lies outside of its ledger."""

    def __init__(self) -> None:
        clock, self.lake, self.warehouse, self.emr = Now(), Tally(), Tables(), ListedRuns()
        dynamodb = SimDynamoDB(undisturbed, clock.now, lambda: 0.0, lambda *_: None, lambda: False)
        s3 = SimS3(undisturbed, clock.now, DataStore())
        self.world = NightWorld(SETTINGS, clock, {"dynamodb": dynamodb, "s3": s3, "emr-serverless": self.emr}, "")
        self.world.__dict__.update(lake=self.lake, warehouse=self.warehouse)

    def form(self, batch_id: str, *files: FileVersion, attempt: int = 1, changes: int = 0) -> None:
        """Leave a manifest."""
        manifest = Manifest(batch_id, attempt, dataset_name(batch_id), files, changes)
        self.put("control", batch_id, attempt, "manifest.json", manifest.dumps())

    def order(self, batch_id: str, attempt: int = 1, by: int = 1, dataset: Dataset = SHOP) -> None:
        """Leave a job spec of the attempt, which works by the manifest of another one or its own."""
        manifest = f"s3://control/{attempt_prefix(dataset.name, batch_id, by)}manifest.json"
        output = f"s3://lake/{attempt_prefix(dataset.name, batch_id, attempt)}"
        self.put("control", batch_id, attempt, JOB_SPEC, JobSpec(batch_id, attempt, dataset, manifest, output).dumps())

    def run(self, batch_id: str, attempt: int = 1, run_id: str = "run-1") -> None:
        """Have EMR know a run, later than those that it knew before."""
        self.emr.runs.insert(0, {"name": run_name(batch_id, attempt), "id": run_id})

    def report(self, batch_id: str, rows: int, attempt: int = 1, keys: tuple[DataFile, ...] | None = None) -> None:
        """Leave a result of so many rows of one day."""
        files, tables = (FileCount(A.identity, rows, rows, 0, 0),), {"sales": (DataFile("s3://lake/x", rows, 9),)}
        result = Result(batch_id, attempt, files, tables, (), days={"sales": (DAY,)}, keys=keys, dataset="shop")
        self.put("lake", batch_id, attempt, RESULT, result.dumps())

    def blame(self, batch_id: str, file: FileVersion, attempt: int = 1) -> None:
        """Leave a failure report that names the file."""
        failure = RunFailure("NoSuchVersion", "file", file)
        self.put("lake", batch_id, attempt, FAILURE, failure.dumps(batch_id, attempt, ""))

    def show(self, batch_id: str, rows: int, attempt: int = 1, load: str = "") -> None:
        """Have the lake show so many rows, and the warehouse, too, if there was a load."""
        self.lake.tables.setdefault("sales", {})[batch_id] = {attempt: rows}
        if load:
            self.open_warehouse()
            self.warehouse.database.executemany("INSERT INTO sales VALUES (?, ?)", [(batch_id, attempt)] * rows)
            history = f"INSERT INTO tidemark.load_history VALUES ('{load}', '{batch_id}', {attempt})"
            self.warehouse.database.execute(history)

    def open_warehouse(self) -> None:
        """Make the tables, if they are not there."""
        read = self.warehouse.database.execute
        read('CREATE TABLE IF NOT EXISTS sales ("_batch_id" TEXT, "_attempt" INTEGER)')
        read("CREATE TABLE IF NOT EXISTS tidemark.load_history (load_id TEXT, batch_id TEXT, attempt INTEGER)")

    def load(self, batch_id: str, *files: FileVersion, rows: int = 2, attempt: int = 1, load: str = LOAD) -> None:
        """Leave all that a loaded batch leaves."""
        self.form(batch_id, *files, attempt=attempt)
        self.order(batch_id, attempt, by=attempt)
        self.report(batch_id, rows, attempt)
        self.show(batch_id, rows, attempt, load)

    def put(self, bucket: str, batch_id: str, attempt: int, name: str, text: str) -> None:
        self.world.store.put(bucket, attempt_prefix(dataset_name(batch_id), batch_id, attempt) + name, text)

    def new(self, batch_id: str) -> Batch:
        """A batch that has just begun."""
        now = self.world.clock.now()
        return Batch(batch_id, dataset_name(batch_id), now, now, due_at=now)

    def know(self, batch_id: str, state: State, attempt: int = 1, rows: Mapping[str, int] | None = None) -> Batch:
        """Have the ledger know a batch."""
        batch = replace(self.new(batch_id), state=state, attempt=attempt, counts=Counts(rows=rows or {}))
        return self.world.ledger.batches.save(replace(batch, due_at=None) if batch.at_rest else batch)
