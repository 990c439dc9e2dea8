"""The lake: Iceberg tables in the Glue catalog, committed by pyiceberg, one atomic commit per table.

A commit replaces whatever the table holds of the batch by this attempt's files, and says so in its snapshot's
summary. The fence is in the table itself: before committing, the summaries are searched for the batch; the same
attempt means that an earlier commit took effect (skip), a newer one that this publisher is a zombie (skip). Where the
history may not reach back to the batch, because snapshots were expired, its rows are asked instead: `_batch_id` and
`_attempt` stay what they are when another tool compacts the table. Glue's version check makes the search and the commit
one step: when another writer committed in between, all is done anew.

What a commit costs must not grow with the table's history: manifests are merged, and snapshots are forgotten after
`SNAPSHOTS_KEPT`. A batch that is older than the history looks into the table itself.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.expressions import BooleanExpression
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table import Transaction
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import IcebergType, NestedField

from tidemark.adapters.latest_rows import latest_rows
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Table
from tidemark.core.errors import DeclarationError, Transient
from tidemark.core.naming import born_at, run_name

BATCH, ATTEMPT = "tidemark.batch", "tidemark.attempt"  # of a snapshot
SHOWS = "tidemark.shows"  # of a table of kind latest
COMMITS_MAX = 12
CLOCKS_DIFFER = timedelta(hours=1)  # at most, between writers of the table; being wrong costs a look at rows
SNAPSHOTS_KEPT = timedelta(days=1)  # pyiceberg copies all of them several times a commit: 0.6 ms for each
FORGOTTEN_AT_ONCE = 100  # snapshots: one more commit for every hundred
PROPERTIES = {
    "format-version": "2",
    # pyiceberg would repeat a lost commit without looking at the fence again; the loop below does both.
    "commit.retry.num-retries": "0",
    # Bounds of the whole batch id let a replaced batch's files be dropped without reading them.
    "write.metadata.metrics.column._batch_id": "full",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "commit.manifest-merge.enabled": "true",
    # A partition's value may be longer than a key of S3: what pyiceberg writes is named without it.
    "write.object-storage.enabled": "true",
    "write.object-storage.partitioned-paths": "false",
}
Where = str | BooleanExpression  # of rows that go
Put = Callable[[Transaction, dict[str, str]], None]  # brings rows; the snapshot gets the summary


class Lake:
    def __init__(self, catalog: Catalog, database: str, bucket: str) -> None:
        self.catalog, self.database, self.bucket = catalog, database, bucket

    def publish(self, table: Table, batch_id: str, attempt: int, files: Sequence[str], rows: int | None = None) -> int:
        """Make the table show exactly `files` (s3:// URIs) for the batch, unless it shows this or a newer attempt.

        `rows` are those of the files, by which a table without history of the batch is told from one that lacks some.
        Returns the sequence number of what readers see, by which that is so. Raises `Transient` when others commit
        faster for too long.
        """
        if table.kind == "latest":
            self._table(table, table.name)  # no column is stored that could not be shown
        sequence = self._commit(
            table, table.physical_name, batch_id, attempt, rows, lambda it: _replace(it, batch_id, attempt, files)
        )
        if table.kind == "latest":
            # Of the stored rows it shows only some, so their number tells nothing.
            sequence = self._commit(
                table, table.name, batch_id, attempt, None, lambda it: self._show(table, it, batch_id, attempt)
            )
        return sequence

    def shown(self, name: str) -> dict[str, dict[int, int]]:
        """Batch → attempt → rows that the table of that name shows; reads two columns of all files."""
        rows: dict[str, Counter[int]] = defaultdict(Counter)
        try:
            iceberg = self.catalog.load_table((self.database, name))
        except NoSuchTableError:
            return {}
        for part in iceberg.scan(selected_fields=("_batch_id", "_attempt")).to_arrow_batch_reader():
            counted = pa.Table.from_batches([part]).group_by(["_batch_id", "_attempt"]).aggregate([([], "count_all")])
            for found in counted.to_pylist():
                rows[found["_batch_id"]][found["_attempt"]] += found["count_all"]
        return {batch_id: dict(attempts) for batch_id, attempts in rows.items()}

    def sequence(self, name: str) -> int:
        """The sequence number of the latest snapshot of the table of that name; 0 without one."""
        try:
            return int(self.catalog.load_table((self.database, name)).last_sequence_number)
        except NoSuchTableError:
            return 0

    def _commit(
        self,
        table: Table,
        name: str,
        batch_id: str,
        attempt: int,
        rows: int | None,
        change: Callable[[IcebergTable], None],
    ) -> int:
        """Change the table of that name, unless it tells of the attempt; anew whenever somebody else came between."""
        for _ in range(COMMITS_MAX):
            try:
                iceberg = self._table(table, name)
                if not _has_attempt(iceberg, batch_id, attempt, rows):
                    change(iceberg)
                    _forget(iceberg)
            except CommitFailedException:
                continue
            return iceberg.last_sequence_number
        raise Transient(f"table {name}: {COMMITS_MAX} commits of {batch_id} were overtaken")

    def _show(self, table: Table, shown: IcebergTable, batch_id: str, attempt: int) -> None:
        """Show the latest rows of the batch's keys. What is stored is read after `shown` was: see `latest`."""
        stored = self.catalog.load_table((self.database, table.physical_name))
        where, rows = latest_rows(table, shown, stored, batch_id)
        put = (lambda change, summary: change.append(rows, summary)) if len(rows) else None
        _rewrite(shown, batch_id, attempt, where, put)

    def _table(self, table: Table, name: str) -> IcebergTable:
        """The table of that name as declared: made when it is missing, columns added when there are new ones."""
        try:
            iceberg = self.catalog.load_table((self.database, name))
        except NoSuchTableError:
            return self._create(name, table)
        _check_compatible(table, iceberg)
        if _is_shown(table, name):
            _check_rule(table, iceberg)
        known = {field.name for field in iceberg.schema().fields}
        added = [column for column in table.all_columns if column.name not in known]
        if added:
            with iceberg.update_schema() as update:
                for column in added:
                    update.add_column(column.name, iceberg_type(column.type))
        return iceberg

    def _create(self, name: str, table: Table) -> IcebergTable:
        schema = iceberg_schema(table)
        try:
            return self.catalog.create_table(
                (self.database, name),
                schema=schema,
                location=f"s3://{self.bucket}/tables/{name}",
                partition_spec=_partitioning(table, schema),
                properties=PROPERTIES | ({SHOWS: table.shows} if _is_shown(table, name) else {}),
            )
        except TableAlreadyExistsError:
            return self.catalog.load_table((self.database, name))


def glue_lake(region: str, endpoint: str | None, database: str, bucket: str) -> Lake:
    """The lake in Glue; `endpoint` None is AWS itself."""
    return Lake(load_catalog("glue", **glue_properties(region, endpoint)), database, bucket)


def glue_properties(region: str, endpoint: str | None) -> dict[str, Any]:
    """What pyiceberg must know to reach Glue and S3.

    Glue's client must not repeat a call: a commit that took effect while its reply was lost would be refused the
    second time, and pyiceberg deletes the manifests of a refused commit, which by then readers need.
    """
    properties: dict[str, Any] = {"type": "glue", "glue.region": region, "s3.region": region, "glue.max-retries": 0}
    if endpoint:
        properties |= {"glue.endpoint": endpoint, "s3.endpoint": endpoint, "s3.force-virtual-addressing": "false"}
    return properties


def iceberg_schema(table: Table) -> Schema:
    """The declaration's columns, all optional, ids in order from 1."""
    fields = [
        NestedField(number, column.name, iceberg_type(column.type), required=False)
        for number, column in enumerate(table.all_columns, start=1)
    ]
    return Schema(*fields)


def iceberg_type(declared: ColumnType) -> IcebergType:
    """The declaration's type in Iceberg."""
    return IcebergType.model_validate(declared.iceberg)


def _partitioning(table: Table, schema: Schema) -> PartitionSpec:
    if not table.partition:
        return PartitionSpec()
    source = schema.find_field(table.partition).field_id
    return PartitionSpec(PartitionField(source, 1000, IdentityTransform(), table.partition))


def _check_compatible(table: Table, iceberg: IcebergTable) -> None:
    known = {field.name: field.field_type for field in iceberg.schema().fields}
    for column in table.all_columns:
        found = known.get(column.name)
        if found is not None and found != iceberg_type(column.type):
            where = ("tables", table.name, "columns", column.name)
            raise DeclarationError(f"expected {found} as in the lake, found {column.type}", where)
    partitioned = [field.name for field in iceberg.spec().fields]
    if partitioned != ([table.partition] if table.partition else []):
        # Files hold one value of the declared column, and the table asks for one value of its own.
        was, declared = ", ".join(partitioned) or "none", table.partition or "none"
        raise DeclarationError(f"expected {was} as in the lake, found {declared}", ("tables", table.name, "partition"))


def _is_shown(table: Table, name: str) -> bool:
    """Whether the lake table of that name has the latest rows, and not all that are stored."""
    return table.kind == "latest" and name == table.name


def _check_rule(table: Table, iceberg: IcebergTable) -> None:
    known = iceberg.properties.get(SHOWS)
    if known != table.shows:
        message = f"expected {known or 'rows by batch'} as in the lake, found {table.shows}"
        raise DeclarationError(message, ("tables", table.name))


def _has_attempt(iceberg: IcebergTable, batch_id: str, attempt: int, rows: int | None) -> bool:
    """Whether the table shows, or has shown, this attempt of the batch or a newer one.

    The history tells, as far as it reaches; else the rows that the table holds, whichever files they are in by now.
    """
    told = _published_attempt(iceberg, batch_id)
    if told or not _may_be_forgotten(iceberg, batch_id):
        return told >= attempt
    held = _rows_of(iceberg, batch_id, "_attempt").column("_attempt")
    latest = pc.max(held).as_py() or 0
    return latest > attempt or (latest == attempt and rows in (None, len(held)))


def _rows_of(iceberg: IcebergTable, batch_id: str, *columns: str) -> pa.Table:
    """The batch's rows; only files whose bounds admit its id are read."""
    return iceberg.scan(f"_batch_id = '{batch_id}'", selected_fields=columns).to_arrow()


def _published_attempt(iceberg: IcebergTable, batch_id: str) -> int:
    """The latest attempt of the batch that the table's history tells of; 0 for none."""
    summaries = (_summary(snapshot) for snapshot in iceberg.metadata.snapshots)
    return max((int(found[ATTEMPT]) for found in summaries if found.get(BATCH) == batch_id), default=0)


def _summary(snapshot: Any) -> dict[str, str]:
    return dict(snapshot.summary.additional_properties) if snapshot.summary else {}


def _forget(iceberg: IcebergTable) -> None:
    """Let go of snapshots that no fence needs any more: whoever was asleep for so long is dead."""
    times = [snapshot.timestamp_ms for snapshot in iceberg.metadata.snapshots]
    before = max(times, default=0) - SNAPSHOTS_KEPT // timedelta(milliseconds=1)
    if sum(time < before for time in times) >= FORGOTTEN_AT_ONCE:
        with suppress(CommitFailedException):  # the next commit forgets them
            iceberg.maintenance.expire_snapshots().older_than(datetime.fromtimestamp(before / 1000, UTC)).commit()


def _may_be_forgotten(iceberg: IcebergTable, batch_id: str) -> bool:
    """Whether the batch may have been published in a snapshot that is forgotten, by us or by somebody's maintenance."""
    oldest = min(iceberg.metadata.snapshots, key=lambda snapshot: snapshot.sequence_number or 0, default=None)
    if oldest is None or oldest.sequence_number == 1:
        return False
    return born_at(batch_id) < datetime.fromtimestamp(oldest.timestamp_ms / 1000, UTC) + CLOCKS_DIFFER


def _replace(iceberg: IcebergTable, batch_id: str, attempt: int, files: Sequence[str]) -> None:
    """The files instead of all that the table has of the batch."""
    batch_rows = f"_batch_id = '{batch_id}'"
    older = attempt > 1 or _may_be_forgotten(iceberg, batch_id)
    put = (lambda change, summary: _add(change, files, summary)) if files else None
    _rewrite(iceberg, batch_id, attempt, batch_rows if older else None, put)


def _add(transaction: Transaction, files: Sequence[str], summary: dict[str, str]) -> None:
    # To look for them in the whole table would cost more with every commit; the fence knows that they are not there.
    transaction.add_files(list(files), summary, check_duplicate_files=False)


def _rewrite(iceberg: IcebergTable, batch_id: str, attempt: int, where: Where | None, put: Put | None) -> None:
    """One commit for the attempt: rows are deleted, others are put."""
    if attempt == 1 and put is None:
        return  # nothing to show, and no older attempt to fence off
    summary = {BATCH: batch_id, ATTEMPT: str(attempt), "tidemark.run": run_name(batch_id, attempt)}
    with iceberg.transaction() as transaction:
        if where is not None:
            _delete(transaction, where, summary)
        if put is not None:
            put(transaction, summary)
        else:
            # An empty snapshot, so that its summary fences off older attempts all the same.
            with transaction.update_snapshot(snapshot_properties=summary).fast_append():
                pass


def _delete(transaction: Transaction, where: Where, summary: dict[str, str]) -> None:
    with warnings.catch_warnings():
        # The older attempt may have had no rows in this table, which is no reason to warn anybody.
        warnings.filterwarnings("ignore", "Delete operation did not match any records")
        transaction.delete(where, snapshot_properties=summary)
