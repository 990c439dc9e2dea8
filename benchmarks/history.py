"""Measures a commit to the lake as the table's history grows: `python -m benchmarks.history [--commits 1000]`

Publishes batches of one file each with the product's own code to an Iceberg table in a folder with an SQLite catalog.
Snapshots expire after `--kept` seconds instead of a day. Prints the median seconds of the last ten commits after 10,
100, … commits, and the table's number of snapshots.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table as IcebergTable

from tidemark.adapters import iceberg as iceberg_module
from tidemark.adapters.iceberg import PROPERTIES, Lake, iceberg_schema
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Table

SALES = Table("sales", "facts", (Column("amount", ColumnType("bigint")),))


class FolderLake(Lake):
    """A lake in a folder instead of a bucket."""

    def _create(self, name: str, table: Table) -> IcebergTable:
        location = f"file://{self.bucket}/{name}"
        return self.catalog.create_table(
            (self.database, name), iceberg_schema(table), location=location, properties=PROPERTIES
        )


def commit(lake: Lake, folder: Path, number: int) -> float:
    """The seconds to publish one batch of one row."""
    batch_id, path = f"sales.20991231T000000.{number:08x}", folder / f"{number}.parquet"
    values = {"amount": [number], "_batch_id": [batch_id], "_attempt": [1], "_file": ["s3://raw/1"], "_rescued": [None]}
    pq.write_table(pa.table(values, schema_to_pyarrow(iceberg_schema(SALES), include_field_ids=False)), path)
    started = time.monotonic()
    lake.publish(SALES, batch_id, 1, [path.as_uri()])
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=1_000)
    parser.add_argument("--kept", type=float, default=10.0, help="seconds for which snapshots are kept")
    options = parser.parse_args()
    commits = options.commits
    iceberg_module.SNAPSHOTS_KEPT = timedelta(seconds=options.kept)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        catalog = SqlCatalog("lake", uri=f"sqlite:///{folder / 'catalog.db'}", warehouse=folder.as_uri())
        catalog.create_namespace("lake")
        lake, spent = FolderLake(catalog, "lake", scratch), []
        for number in range(1, commits + 1):
            spent.append(commit(lake, folder, number))
            if number in (10, 100, 1_000, commits):
                snapshots = len(catalog.load_table(("lake", "sales")).metadata.snapshots)
                median = statistics.median(spent[-10:])
                print(f"after {number:5} commits: {median:.3f} s per commit, {snapshots} snapshots", flush=True)
        catalog.engine.dispose()


if __name__ == "__main__":
    main()
