"""Pins: the data files of a lake table's current snapshot, as a nightly attempt is to read them.

Our tables have no delete files (a replaced batch's files are dropped whole, or written anew), so the Parquet files
that a snapshot lists are the table.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue, BooleanExpression

from tidemark.adapters.iceberg import Lake
from tidemark.core.dataset import Table
from tidemark.core.files import split_uri
from tidemark.core.manifest import Input, SnapshotFile


class Snapshots:
    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def pin(self, table: Table, days: tuple[date, date] | None) -> Input:
        """The files that may hold rows of the days (from the first to before the second), or all; by their names."""
        pinned = Input(
            table.name, table.kind, None, 0, (), table.columns, table.sums, table.day if days else None, days
        )
        try:
            iceberg = self.lake.catalog.load_table((self.lake.database, shown_name(table)))
        except NoSuchTableError:
            return pinned
        snapshot = iceberg.current_snapshot()
        if snapshot is None:
            return pinned
        tasks = iceberg.scan(_filter(table, days), snapshot_id=snapshot.snapshot_id).plan_files()
        files = sorted((task.file for task in tasks), key=lambda file: file.file_path)
        return replace(
            pinned,
            snapshot=snapshot.snapshot_id,
            sequence=snapshot.sequence_number or 0,
            files=tuple(
                SnapshotFile(*split_uri(file.file_path), file.file_size_in_bytes, file.record_count) for file in files
            ),
        )


def shown_name(table: Table) -> str:
    """The lake table that has what is to be read: for the latest rows the table itself, for sums what is summed."""
    return table.name if table.kind == "latest" else table.physical_name


def _filter(table: Table, days: tuple[date, date] | None) -> str | BooleanExpression:
    return f"\"{table.day}\" >= '{days[0]}' AND \"{table.day}\" < '{days[1]}'" if days else AlwaysTrue()
