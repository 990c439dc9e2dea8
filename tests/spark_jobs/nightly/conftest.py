"""Nights by hand: given frames, or files of a lake that a manifest pins."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.nightly import Night
from tests.spark_jobs.conftest import LAKE, Attempt
from tidemark.adapters.dataset_files import load_file
from tidemark.core.dataset import Dataset, Table
from tidemark.core.manifest import Input, NightlyManifest, SnapshotFile
from tidemark.core.periods import Period

NUMBERS = count(1)


@pytest.fixture(scope="session")
def jobs(root: Path) -> dict[str, Dataset]:
    """The nightly jobs of the repository, by name."""
    return {path.stem: load_file(path) for path in sorted((root / "datasets" / "nightly").glob("*.yaml"))}


@pytest.fixture
def night(spark: SparkSession, jobs: dict[str, Dataset]) -> Callable[..., Night]:
    """A night of that job's declaration, period and frames."""

    def given(job: str, day: date, **tables: DataFrame) -> Night:
        nightly = jobs[job].nightly
        assert nightly
        assert {read.table for read in nightly.reads} == set(tables)
        return Night(spark, tables, Period.containing(nightly.every, day), nightly.parameters, f"s3://{LAKE}/{job}/")

    return given


@dataclass(frozen=True)
class Both:
    """The same rows for Spark and for DuckDB, by way of Parquet."""

    spark: SparkSession
    folder: Path

    def __call__(self, name: str, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> DataFrame:
        pq.write_table(pa.Table.from_pylist(list(rows), schema), self.folder / f"{name}.parquet")
        return self.spark.read.parquet((self.folder / f"{name}.parquet").as_uri())

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """What DuckDB answers; a name in braces is a table."""
        names = {path.stem: f"read_parquet('{path}')" for path in self.folder.glob("*.parquet")}
        with duckdb.connect() as connection:
            return sorted(connection.sql(query.format(**names)).fetchall(), key=str)

    @staticmethod
    def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
        """Spark's rows, sorted in the same way."""
        return sorted(map(tuple, frame.collect()), key=str)


@pytest.fixture
def both(spark: SparkSession, tmp_path: Path) -> Both:
    """Two engines, one answer."""
    return Both(spark, tmp_path)


class Nights(Attempt):
    """Attempts at nights: puts files into the lake, and pins them."""

    def put(self, table: pa.Table) -> SnapshotFile:
        """A file of the lake."""
        body = io.BytesIO()
        pq.write_table(table, body)
        return self.put_bytes(body.getvalue(), table.num_rows)

    def put_bytes(self, body: bytes, rows: int) -> SnapshotFile:
        key = f"tables/{next(NUMBERS)}.parquet"
        self.s3.put_object(Bucket=LAKE, Key=key, Body=body)
        return SnapshotFile(LAKE, key, len(body), rows)

    def adopt(self, uris: Sequence[str]) -> tuple[SnapshotFile, ...]:
        """What another run of this stage wrote: its files lie in a folder, the reader asks S3."""
        paths = [self.local(uri) for uri in uris]
        return tuple(self.put_bytes(path.read_bytes(), pq.read_metadata(path).num_rows) for path in paths)

    def pinned(self, table: Table, files: Sequence[SnapshotFile], days: tuple[date, date] | None = None) -> Input:
        """As the control plane pins a table."""
        return Input(table.name, table.kind, 1, 1, tuple(files), table.columns, table.sums, table.day, days)

    def run(self, job: Dataset, day: date, *inputs: Input, attempt: int = 1) -> int:
        """The exit code."""
        assert job.nightly
        period = Period.containing(job.nightly.every, day)
        batch_id = f"{job.name}.{period.start:%Y%m%d}T000000.{next(NUMBERS):08x}"
        self.manifest = NightlyManifest(batch_id, attempt, job.name, period, inputs)
        return self.begin(job, batch_id, attempt, self.manifest.dumps())

    def uris(self, table: str) -> list[str]:
        return [file["uri"] for file in self.result["tables"][table]["files"]]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of the files in the result, without the columns that differ between attempts."""
        paths = [self.local(uri) for uri in self.uris(table)]
        found = [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]
        assert {(row.pop("_batch_id"), row.pop("_attempt")) for row in found} <= {
            (self.batch_id, self.manifest.attempt)
        }
        return sorted(found, key=str)


@pytest.fixture
def nights(spark: SparkSession, raw: Any, lake: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    """A lake of its own; the session is left to the other tests."""
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)
    return Nights(raw.s3, lake)
