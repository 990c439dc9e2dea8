"""The result of a drive: counts from ledger, lake and warehouse side by side, and where they disagree.

The lake's tables are scanned and the warehouse is queried; neither count relies on the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pyarrow.compute as pc

from local.world import LaptopWorld
from tidemark.core.dataset import Dataset, Table
from tidemark.core.files import split_uri
from tidemark.core.lifecycle import Batch, State
from tidemark.service.documents import read_result
from tidemark.service.report import files_of


@dataclass(frozen=True)
class Shown:
    """Counts of a `latest` table: the distinct keys stored, and the rows that its view returns."""

    keys: int
    rows: int


@dataclass(frozen=True)
class TableSummary:
    files: int  # data files in the lake
    rows: int  # according to the published results
    lake: int
    warehouse: int
    shown_by_lake: Shown | None = None  # `latest` tables only, as below
    shown_by_warehouse: Shown | None = None


@dataclass(frozen=True)
class BatchSummary:
    batch_id: str
    state: str
    attempts: int
    files: int
    rows: Mapping[str, int]
    seconds: float
    reason: str


@dataclass(frozen=True)
class DatasetSummary:
    files: int
    batches: tuple[BatchSummary, ...]
    read: int
    kept: int
    rejected: int
    duplicate_records: int
    files_with_problems: int
    tolerance: float
    tables: Mapping[str, TableSummary]


@dataclass(frozen=True)
class Finding:
    """A file and the reason why it is not, or not completely, in the tables."""

    name: str
    reason: str


@dataclass(frozen=True)
class QuarantinedBatch:
    """A batch that needs an operator, and its files; their rows are in no table, or only in the lake."""

    batch_id: str
    reason: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    datasets: Mapping[str, DatasetSummary]
    landed: int
    unclaimed: int  # files under no dataset's prefix
    seconds: float
    differences: tuple[str, ...] = ()  # violations of the invariants
    beyond_tolerance: tuple[str, ...] = ()
    skipped: tuple[Finding, ...] = ()  # files that were not uploaded
    unclaimed_files: tuple[str, ...] = ()
    unread: tuple[Finding, ...] = ()  # files that could not be read to the end
    refused: tuple[Finding, ...] = ()  # files in quarantine
    quarantined: tuple[QuarantinedBatch, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every input file is in the tables, read to its end."""
        return not (self.skipped or self.unclaimed_files or self.unread or self.refused or self.quarantined)

    @property
    def clean(self) -> bool:
        """Whether the run is complete, at rest and reconciled, with no dataset over its rejection tolerance."""
        return self.complete and not self.differences and not self.beyond_tolerance

    def to_json(self) -> dict[str, Any]:
        """The shape of summary.json."""
        return {**asdict(self), "complete": self.complete, "clean": self.clean}


def summarize(world: LaptopWorld, keys: Iterable[str], seconds: float, skipped: Iterable[Finding] = ()) -> Summary:
    """Count everything, given the landed object keys and the files that were skipped."""
    landed = sorted(keys)
    batches = {name: tuple(world.ledger.batches.all(name)) for name in world.datasets}
    datasets = {name: _dataset(world, dataset, batches[name]) for name, dataset in world.datasets.items()}
    claimed = [key for key in landed if any(dataset.owns(key) for dataset in world.datasets.values())]
    unclaimed = tuple(sorted(set(landed) - set(claimed)))
    return Summary(
        datasets=datasets,
        landed=len(landed),
        unclaimed=len(unclaimed),
        seconds=round(seconds, 1),
        differences=(*_unsettled(world, claimed, batches), *_uneven(world, datasets)),
        beyond_tolerance=tuple(_beyond(datasets)),
        skipped=tuple(skipped),
        unclaimed_files=unclaimed,
        unread=tuple(_unread(world, batches)),
        refused=tuple(Finding(refused.file.uri, refused.reason) for refused in world.ledger.quarantine.contents()[1]),
        quarantined=tuple(_quarantined(world, batches)),
    )


def _unread(world: LaptopWorld, batches: Mapping[str, tuple[Batch, ...]]) -> Iterable[Finding]:
    """The files that could not be read to the end, from the results of their batches."""
    for batch in (batch for group in batches.values() for batch in group if batch.counts.problems):
        result = read_result(world, batch)
        for file in result.problems if result else ():
            yield Finding(file.uri, file.problem or "")


def _quarantined(world: LaptopWorld, batches: Mapping[str, tuple[Batch, ...]]) -> Iterable[QuarantinedBatch]:
    for batch in (batch for group in batches.values() for batch in group if batch.state is State.QUARANTINED):
        yield QuarantinedBatch(batch.batch_id, batch.reason, tuple(file.uri for file in files_of(world, batch)))


def _dataset(world: LaptopWorld, dataset: Dataset, batches: tuple[Batch, ...]) -> DatasetSummary:
    loaded = [batch for batch in batches if batch.state is State.LOADED]
    return DatasetSummary(
        files=sum(batch.files for batch in batches if batch.state is not State.SPLIT),
        batches=tuple(_batch(batch) for batch in sorted(batches, key=lambda batch: batch.created_at)),
        read=sum(batch.counts.read for batch in loaded),
        kept=sum(batch.counts.kept for batch in loaded),
        rejected=sum(batch.counts.rejected for batch in loaded),
        duplicate_records=sum(batch.counts.duplicate_records for batch in loaded),
        files_with_problems=sum(batch.counts.problems for batch in loaded),
        tolerance=dataset.tolerance,
        tables={table.name: _table(world, table, loaded) for table in dataset.tables},
    )


def _batch(batch: Batch) -> BatchSummary:
    seconds = batch.took(batch.updated_at).total_seconds()
    return BatchSummary(
        batch.batch_id, str(batch.state), batch.attempt, batch.files, batch.counts.rows, round(seconds, 1), batch.reason
    )


def _table(world: LaptopWorld, table: Table, loaded: list[Batch]) -> TableSummary:
    rows = sum(batch.counts.rows[table.name] for batch in loaded)
    if not loaded:
        return TableSummary(0, 0, 0, 0)
    stored = _iceberg(world, table.physical_name).scan()
    counted = TableSummary(
        len(list(stored.plan_files())), rows, stored.count(), _count(world, "COUNT(*)", table.physical_name)
    )
    if table.kind != "latest":
        return counted
    keys = pc.count_distinct(stored.select(table.key).to_arrow().column(table.key)).as_py()
    return replace(
        counted,
        shown_by_lake=Shown(keys, _iceberg(world, table.name).scan().count()),
        shown_by_warehouse=Shown(
            _count(world, f'COUNT(DISTINCT "{table.key}")', table.physical_name), _count(world, "COUNT(*)", table.name)
        ),
    )


def _iceberg(world: LaptopWorld, name: str) -> Any:
    return world.lake.catalog.load_table((world.settings.lake_database, name))


def _count(world: LaptopWorld, what: str, relation: str) -> int:
    return int(world.warehouse.read(f'SELECT {what} FROM "{relation}"')[0][0])


def _unsettled(world: LaptopWorld, keys: list[str], batches: Mapping[str, tuple[Batch, ...]]) -> Iterable[str]:
    """Invariant 1: every file version is in exactly one batch at rest, or in quarantine."""
    known = {batch.batch_id: batch for group in batches.values() for batch in group}
    for key in keys:
        holder = world.ledger.files.holder(world.settings.raw_bucket, key)
        batch = known.get(holder.batch_id) if holder else None
        if batch is None or not batch.at_rest:
            yield f"file {key}: expected in a batch at rest, found in {batch.state if batch else 'none'}"


def _uneven(world: LaptopWorld, datasets: Mapping[str, DatasetSummary]) -> Iterable[str]:
    """Invariant 3: all records read are accounted for, and lake and warehouse hold the same rows."""
    for name, summary in datasets.items():
        accounted = summary.kept + summary.rejected + summary.duplicate_records
        if summary.read != accounted:
            yield f"{name}: expected {summary.read} records accounted for, found {accounted}"
        for table, counts in summary.tables.items():
            dataset = world.datasets[name]
            keeps = dataset.table(table).keeps_records and not dataset.nightly
            expected = summary.kept if keeps else counts.rows
            if not expected == counts.rows == counts.lake == counts.warehouse:
                yield (
                    f"{name}.{table}: expected {expected} rows, found {counts.rows} in the results,"
                    f" {counts.lake} in the lake, {counts.warehouse} in the warehouse"
                )
            yield from _unshown(f"{name}.{table}", counts)


def _unshown(name: str, counts: TableSummary) -> Iterable[str]:
    """A `latest` table must show exactly one row for each stored key."""
    for place, shown in (("lake", counts.shown_by_lake), ("warehouse", counts.shown_by_warehouse)):
        if shown and shown.keys != shown.rows:
            yield f"{name}: expected a row for each of {shown.keys} keys in the {place}, found {shown.rows}"


def _beyond(datasets: Mapping[str, DatasetSummary]) -> Iterable[str]:
    for name, summary in datasets.items():
        if summary.rejected > summary.tolerance * summary.read:
            yield f"{name}: {summary.rejected} of {summary.read} records rejected, {summary.tolerance:.2%} tolerated"


def export_lake(world: LaptopWorld, out: Path) -> None:
    """Copy the Iceberg tables, data files and schemas alike, to the empty folder `out` with a catalog of its own.

    `catalog.db` is a pyiceberg SQL catalog; `<table>/data` has the data files of each table's current snapshot.
    """
    from pyiceberg.catalog.sql import SqlCatalog

    # SQLAlchemy percent-decodes the catalog's address, but pyiceberg does not decode paths: only the former is quoted.
    catalog = SqlCatalog("lake", uri=f"sqlite:///{quote(str(out / 'catalog.db'))}", warehouse=str(out))
    catalog.create_namespace("lake")
    for name in world.lake.catalog.list_tables(world.settings.lake_database):
        table = world.lake.catalog.load_table(name)
        location = out / name[-1]
        copies = [
            _download(world, task.file.file_path, location / "data" / f"{number:05d}.parquet")
            for number, task in enumerate(table.scan().plan_files())
        ]
        local = catalog.create_table(
            ("lake", name[-1]), table.schema(), location=str(location), partition_spec=table.spec()
        )
        if copies:
            local.add_files([str(path) for path in copies])
    catalog.engine.dispose()


def show_plain_names(database: Path) -> None:
    """Make `SELECT … FROM web_events` work in a DuckDB shell, whose default schema is `main` instead of `public`."""
    with duckdb.connect(str(database)) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (name,) in tables:
            connection.execute(f'CREATE VIEW main."{name}" AS SELECT * FROM public."{name}"')


def export_quarantine(world: LaptopWorld, out: Path) -> None:
    """Write each batch's rejected records (file, position, reason, raw text) to `out/<batch id>.jsonl`."""
    for name in world.datasets:
        for batch in world.ledger.batches.all(name):
            result = read_result(world, batch)
            texts = [_text(world, file.uri) for file in result.rejected] if result else []
            if any(texts):
                (out / f"{batch.batch_id}.jsonl").write_bytes(b"".join(texts))


def _text(world: LaptopWorld, uri: str) -> bytes:
    return world.store.get(*split_uri(uri)) or b""


def _download(world: LaptopWorld, uri: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_text(world, uri))
    return path
