"""The lake: Iceberg tables in the Glue catalog, committed by pyiceberg, one atomic commit per table.

A commit replaces all rows of the batch by the files of one attempt, and records batch and attempt in its snapshot's
summary. These summaries are the fence. Before committing, a publisher searches them for the batch: if they have the
same attempt, an earlier commit took effect; if they have a newer one, this publisher is a zombie. It skips the commit
in both cases. Where snapshots were expired and the history may not reach back to the batch, the publisher reads the
batch's rows instead: their `_batch_id` and `_attempt` survive compaction by other tools. Glue's version check makes
search and commit atomic: if another writer has committed in between, the publisher repeats both.

The cost of a commit must not grow with the table's history: manifests are merged, and snapshots expire after
`SNAPSHOTS_KEPT`.
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

BATCH, ATTEMPT = "tidemark.batch", "tidemark.attempt"  # in the summary of a snapshot
SHOWS = "tidemark.shows"  # property of a table of kind latest
COMMITS_MAX = 12
#: Largest difference between the clocks of two writers. A larger value only makes publishers read rows more often.
CLOCKS_DIFFER = timedelta(hours=1)
SNAPSHOTS_KEPT = timedelta(days=1)  # pyiceberg copies every snapshot several times per commit, 0.6 ms for each
EXPIRED_AT_ONCE = 100  # snapshots, because expiring them takes a commit of its own
PROPERTIES = {
    "format-version": "2",
    # pyiceberg would repeat a refused commit without checking the fence again; `_commit` does both.
    "commit.retry.num-retries": "0",
    # With bounds of the whole batch id, the files of a replaced batch are dropped without being read.
    "write.metadata.metrics.column._batch_id": "full",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "commit.manifest-merge.enabled": "true",
    # A partition value may be longer than an S3 key, so pyiceberg names its files without it.
    "write.object-storage.enabled": "true",
    "write.object-storage.partitioned-paths": "false",
}
Where = str | BooleanExpression  # which rows a commit deletes
Put = Callable[[Transaction, dict[str, str]], None]  # adds rows, in a snapshot with that summary


class Lake:
    def __init__(self, catalog: Catalog, database: str, bucket: str) -> None:
        self.catalog, self.database, self.bucket = catalog, database, bucket

    def publish(self, table: Table, batch_id: str, attempt: int, files: Sequence[str], rows: int | None = None) -> int:
        """Replaces the batch's rows in the table by `files` (s3:// URIs), unless it has this or a newer attempt.

        `rows` is the number of rows in the files. If the table's history does not reach back to the batch, the attempt
        counts as published only if the table holds that many rows of it. Returns the table's sequence number after the
        commit. Raises `Transient` when other writers win COMMITS_MAX times in a row.
        """
        if table.kind == "latest":
            self._table(table, table.name)  # raises before any row is stored that the table could not show
        sequence = self._commit(
            table, table.physical_name, batch_id, attempt, rows, lambda it: _replace(it, batch_id, attempt, files)
        )
        if table.kind == "latest":
            # The table shows only some of the stored rows, so their number proves nothing.
            sequence = self._commit(
                table, table.name, batch_id, attempt, None, lambda it: self._show(table, it, batch_id, attempt)
            )
        return sequence

    def shown(self, name: str) -> dict[str, dict[int, int]]:
        """Returns batch → attempt → number of rows in the table of that name; reads two columns of all files."""
        rows: dict[str, Counter[int]] = defaultdict(Counter)
        try:
            iceberg = self.catalog.load_table((self.database, name))
        except NoSuchTableError:
            return {}
        for chunk in iceberg.scan(selected_fields=("_batch_id", "_attempt")).to_arrow_batch_reader():
            counts = pa.Table.from_batches([chunk]).group_by(["_batch_id", "_attempt"]).aggregate([([], "count_all")])
            for group in counts.to_pylist():
                rows[group["_batch_id"]][group["_attempt"]] += group["count_all"]
        return {batch_id: dict(attempts) for batch_id, attempts in rows.items()}

    def sequence(self, name: str) -> int:
        """Returns the sequence number of the latest snapshot of the table of that name; 0 without one."""
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
        """Applies `change` to the table of that name, unless it has the attempt or a newer one.

        Closes the race with any other writer: when Glue refuses the commit, both check and change are repeated. Returns
        the table's last sequence number.
        """
        for _ in range(COMMITS_MAX):
            try:
                iceberg = self._table(table, name)
                if not _has_attempt(iceberg, batch_id, attempt, rows):
                    change(iceberg)
                    _expire_snapshots(iceberg)
            except CommitFailedException:
                continue
            return iceberg.last_sequence_number
        raise Transient(f"table {name}: {COMMITS_MAX} commits of {batch_id} were overtaken")

    def _show(self, table: Table, shown: IcebergTable, batch_id: str, attempt: int) -> None:
        """Makes `shown` have the latest rows of the batch's keys.

        The stored rows are read after `shown`; `latest_rows` explains why the order matters.
        """
        stored = self.catalog.load_table((self.database, table.physical_name))
        where, rows = latest_rows(table, shown, stored, batch_id)
        put = (lambda change, summary: change.append(rows, summary)) if len(rows) else None
        _rewrite(shown, batch_id, attempt, where, put)

    def _table(self, table: Table, name: str) -> IcebergTable:
        """Returns the table of that name; creates it if it is missing, and adds columns that it lacks.

        Raises `DeclarationError` when the table contradicts the declaration.
        """
        try:
            iceberg = self.catalog.load_table((self.database, name))
        except NoSuchTableError:
            return self._create(name, table)
        _check_compatible(table, iceberg)
        if _is_shown(table, name):
            _check_rule(table, iceberg)
        existing = {field.name for field in iceberg.schema().fields}
        added = [column for column in table.all_columns if column.name not in existing]
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
    """Returns the lake in Glue; without an `endpoint`, in AWS itself."""
    return Lake(load_catalog("glue", **glue_properties(region, endpoint)), database, bucket)


def glue_properties(region: str, endpoint: str | None) -> dict[str, Any]:
    """Returns the properties with which pyiceberg reaches Glue and S3.

    Glue's client must not retry. If a commit took effect and its reply was lost, Glue would refuse the retry, and
    pyiceberg would then delete the manifests of a commit that readers already see.
    """
    properties: dict[str, Any] = {"type": "glue", "glue.region": region, "s3.region": region, "glue.max-retries": 0}
    if endpoint:
        properties |= {"glue.endpoint": endpoint, "s3.endpoint": endpoint, "s3.force-virtual-addressing": "false"}
    return properties


def iceberg_schema(table: Table) -> Schema:
    """Returns the declared columns as an Iceberg schema: all optional, with ids in order from 1."""
    fields = [
        NestedField(number, column.name, iceberg_type(column.type), required=False)
        for number, column in enumerate(table.all_columns, start=1)
    ]
    return Schema(*fields)


def iceberg_type(declared: ColumnType) -> IcebergType:
    """Returns the Iceberg type of a declared type."""
    return IcebergType.model_validate(declared.iceberg)


def _partitioning(table: Table, schema: Schema) -> PartitionSpec:
    if not table.partition:
        return PartitionSpec()
    source = schema.find_field(table.partition).field_id
    return PartitionSpec(PartitionField(source, 1000, IdentityTransform(), table.partition))


def _check_compatible(table: Table, iceberg: IcebergTable) -> None:
    existing = {field.name: field.field_type for field in iceberg.schema().fields}
    for column in table.all_columns:
        in_lake = existing.get(column.name)
        if in_lake is not None and in_lake != iceberg_type(column.type):
            where = ("tables", table.name, "columns", column.name)
            raise DeclarationError(f"expected {in_lake} as in the lake, found {column.type}", where)
    partitioned = [field.name for field in iceberg.spec().fields]
    if partitioned != ([table.partition] if table.partition else []):
        # Each data file holds one value of the declared partition column; this table is partitioned by another.
        current, declared = ", ".join(partitioned) or "none", table.partition or "none"
        raise DeclarationError(
            f"expected {current} as in the lake, found {declared}", ("tables", table.name, "partition")
        )


def _is_shown(table: Table, name: str) -> bool:
    """Returns whether the lake table of that name has only the latest row of each key."""
    return table.kind == "latest" and name == table.name


def _check_rule(table: Table, iceberg: IcebergTable) -> None:
    in_lake = iceberg.properties.get(SHOWS)
    if in_lake != table.shows:
        message = f"expected {in_lake or 'rows by batch'} as in the lake, found {table.shows}"
        raise DeclarationError(message, ("tables", table.name))


def _has_attempt(iceberg: IcebergTable, batch_id: str, attempt: int, rows: int | None) -> bool:
    """Returns whether this attempt of the batch, or a newer one, was ever committed to the table.

    The history decides. Where it may not reach back to the batch, the batch's rows do, whichever files hold them now.
    """
    recorded = _published_attempt(iceberg, batch_id)
    if recorded or not _may_be_expired(iceberg, batch_id):
        return recorded >= attempt
    attempts = _rows_of(iceberg, batch_id, "_attempt").column("_attempt")
    latest = pc.max(attempts).as_py() or 0
    return latest > attempt or (latest == attempt and rows in (None, len(attempts)))


def _rows_of(iceberg: IcebergTable, batch_id: str, *columns: str) -> pa.Table:
    """Returns the batch's rows; reads only files whose column bounds include the batch id."""
    return iceberg.scan(f"_batch_id = '{batch_id}'", selected_fields=columns).to_arrow()


def _published_attempt(iceberg: IcebergTable, batch_id: str) -> int:
    """Returns the latest attempt of the batch in the table's history; 0 for none."""
    summaries = (_summary(snapshot) for snapshot in iceberg.metadata.snapshots)
    return max((int(summary[ATTEMPT]) for summary in summaries if summary.get(BATCH) == batch_id), default=0)


def _summary(snapshot: Any) -> dict[str, str]:
    return dict(snapshot.summary.additional_properties) if snapshot.summary else {}


def _expire_snapshots(iceberg: IcebergTable) -> None:
    """Expires snapshots old enough that no live publisher can still depend on them."""
    times = [snapshot.timestamp_ms for snapshot in iceberg.metadata.snapshots]
    before = max(times, default=0) - SNAPSHOTS_KEPT // timedelta(milliseconds=1)
    if sum(time < before for time in times) >= EXPIRED_AT_ONCE:
        with suppress(CommitFailedException):  # the next commit expires them
            iceberg.maintenance.expire_snapshots().older_than(datetime.fromtimestamp(before / 1000, UTC)).commit()


def _may_be_expired(iceberg: IcebergTable, batch_id: str) -> bool:
    """Returns whether the batch may have been published in a snapshot that was expired, by us or by another tool."""
    oldest = min(iceberg.metadata.snapshots, key=lambda snapshot: snapshot.sequence_number or 0, default=None)
    if oldest is None or oldest.sequence_number == 1:
        return False
    return born_at(batch_id) < datetime.fromtimestamp(oldest.timestamp_ms / 1000, UTC) + CLOCKS_DIFFER


def _replace(iceberg: IcebergTable, batch_id: str, attempt: int, files: Sequence[str]) -> None:
    """Replaces all rows of the batch in the table by the files."""
    batch_rows = f"_batch_id = '{batch_id}'"
    may_have_rows = attempt > 1 or _may_be_expired(iceberg, batch_id)
    put = (lambda change, summary: _add(change, files, summary)) if files else None
    _rewrite(iceberg, batch_id, attempt, batch_rows if may_have_rows else None, put)


def _add(transaction: Transaction, files: Sequence[str], summary: dict[str, str]) -> None:
    # Checking the whole table for duplicates would cost more with every commit, and the fence already excludes them.
    transaction.add_files(list(files), summary, check_duplicate_files=False)


def _rewrite(iceberg: IcebergTable, batch_id: str, attempt: int, where: Where | None, put: Put | None) -> None:
    """Makes the attempt's commit: deletes the rows `where`, then puts others."""
    if attempt == 1 and put is None:
        return  # no rows to add, and no older attempt to fence off
    summary = {BATCH: batch_id, ATTEMPT: str(attempt), "tidemark.run": run_name(batch_id, attempt)}
    with iceberg.transaction() as transaction:
        if where is not None:
            _delete(transaction, where, summary)
        if put is not None:
            put(transaction, summary)
        else:
            # An attempt without rows still needs a snapshot, whose summary fences off older attempts.
            with transaction.update_snapshot(snapshot_properties=summary).fast_append():
                pass


def _delete(transaction: Transaction, where: Where, summary: dict[str, str]) -> None:
    with warnings.catch_warnings():
        # The older attempt may have had no rows in this table, which is nothing to warn about.
        warnings.filterwarnings("ignore", "Delete operation did not match any records")
        transaction.delete(where, snapshot_properties=summary)
