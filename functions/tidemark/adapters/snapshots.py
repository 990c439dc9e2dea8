"""Snapshots of lake tables: the data files that a nightly attempt or a rebuilt warehouse table reads.

Our tables have no delete files (a commit drops or rewrites whole data files), so the Parquet files in a snapshot are
all of its rows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from functools import partial

import pyarrow.parquet as pq
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from tidemark.adapters.iceberg import Lake
from tidemark.core.dataset import Table
from tidemark.core.errors import TidemarkError
from tidemark.core.files import split_uri
from tidemark.core.manifest import Input, SnapshotFile
from tidemark.core.rebuilding import StoredFile

FOOTERS_AT_ONCE = 16


class Snapshots:
    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def current(self, table: Table, days: tuple[date, date] | None) -> Input:
        """Returns the table's current snapshot with its files in the order of their names.

        With `days`, only the files that may hold rows from the first day to before the second. A table that does not
        exist, or has no snapshot, has no files.
        """
        empty = Input(table.name, table.kind, None, 0, (), table.columns, table.sums, table.day if days else None, days)
        try:
            iceberg = self.lake.catalog.load_table((self.lake.database, shown_name(table)))
        except NoSuchTableError:
            return empty
        snapshot = iceberg.current_snapshot()
        if snapshot is None:
            return empty
        tasks = iceberg.scan(_filter(table, days), snapshot_id=snapshot.snapshot_id).plan_files()
        files = sorted((task.file for task in tasks), key=lambda file: file.file_path)
        return replace(
            empty,
            snapshot=snapshot.snapshot_id,
            sequence=snapshot.sequence_number or 0,
            files=tuple(
                SnapshotFile(*split_uri(file.file_path), file.file_size_in_bytes, file.record_count) for file in files
            ),
        )

    def stored(self, name: str) -> list[StoredFile]:
        """Returns the data files of the table of that name, with the columns of each; reads every file's footer.

        A table that does not exist has none. Raises `TidemarkError` if another tool has deleted rows without rewriting
        their files, because COPY would bring these rows back.
        """
        try:
            iceberg = self.lake.catalog.load_table((self.lake.database, name))
        except NoSuchTableError:
            return []
        tasks = sorted(iceberg.scan().plan_files(), key=lambda task: task.file.file_path)
        if any(task.delete_files for task in tasks):
            raise TidemarkError(
                f"{name}: the lake's table has delete files, which COPY does not read: compact it first"
            )
        with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
            return list(pool.map(partial(_stored, iceberg), (task.file for task in tasks)))


def _stored(iceberg: IcebergTable, file: DataFile) -> StoredFile:
    with iceberg.io.new_input(file.file_path).open() as content:
        columns = tuple(pq.read_schema(content).names)
    return StoredFile(file.file_path, file.file_size_in_bytes, file.record_count, columns)


def shown_name(table: Table) -> str:
    """Returns the name of the lake table that jobs read: the latest rows for kind `latest`, else all stored rows."""
    return table.name if table.kind == "latest" else table.physical_name


def _filter(table: Table, days: tuple[date, date] | None) -> str | BooleanExpression:
    return f"\"{table.day}\" >= '{days[0]}' AND \"{table.day}\" < '{days[1]}'" if days else AlwaysTrue()
