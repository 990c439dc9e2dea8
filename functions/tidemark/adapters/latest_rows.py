"""Chooses the rows of a lake table of kind `latest`, after a batch's rows were replaced.

`<name>_by_batch` stores every row, and `<name>` shows the latest row of each key. A batch can change only two sorts of
keys: those of its present rows, and those that `<name>` shows by a row of its older attempt. No other row is read:

- The batch's present rows compete with the rows that `<name>` shows of their keys.
- Where `<name>` shows a row of an older attempt, which may be deleted by now, all stored rows of that key compete.

Concurrent publishers end in the right rows: each reads `<name>` first, then the stored rows, and Glue refuses its
commit if `<name>` has changed since. So if two publishers change one key, the second to commit has read the rows of
both.

Memory holds the competing rows, the winning rows, and the decompressed rows of READ_BYTES of files at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import AlwaysFalse, AlwaysTrue, BooleanExpression, In, Reference
from pyiceberg.expressions.literals import literal
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.table import FileScanTask
from pyiceberg.table import Table as IcebergTable

from tidemark.core.dataset import Table

READ_BYTES = 64 << 20  # of compressed files, read together


def latest_rows(
    table: Table, shown: IcebergTable, stored: IcebergTable, batch_id: str
) -> tuple[BooleanExpression, pa.Table]:
    """Returns which rows of `shown` to delete, and the rows to add: the latest row of each key.

    A row without a key is stored and never shown. If `shown` has no snapshot, because the table is new or was dropped,
    the result has the latest rows of all keys. If the batch has more than half of the keys, it replaces all rows,
    because a long list of keys is slow.
    """
    if shown.current_snapshot() is None:
        return AlwaysFalse(), _best(table, stored)
    key, of_batch = str(table.key), f"_batch_id = '{batch_id}'"
    fresh = _best(table, stored, of_batch)
    added_keys = fresh.column(key)
    removed_keys = shown.scan(of_batch, selected_fields=(key,)).to_arrow().column(key)
    replace_all = 2 * (len(added_keys) + len(removed_keys)) > shown.scan().count()
    present = _best(table, shown, f"_batch_id != '{batch_id}'", None if replace_all else added_keys)
    others = _best(table, stored, keys=removed_keys) if len(removed_keys) else fresh.slice(0, 0)
    rows = _latest(table, (fresh, present, others)).select(shown.schema().column_names)
    return AlwaysTrue() if replace_all else _one_of(key, {*added_keys.to_pylist(), *removed_keys.to_pylist()}), rows


def _one_of(key: str, values: Iterable[Any]) -> BooleanExpression:
    return In(term=Reference(key), values={literal(value) for value in values})


def _best(table: Table, iceberg: IcebergTable, where: str = "", keys: pa.ChunkedArray | None = None) -> pa.Table:
    """Returns the latest row of each key among the rows `where`; only of `keys`, if they are given."""
    scan = iceberg.scan(where) if where else iceberg.scan()
    read = ArrowScan(scan.table_metadata, scan.io, scan.projection(), scan.row_filter).to_table
    best = read([])
    for tasks in _portions(scan.plan_files()):
        rows = read(tasks)
        if keys is not None:
            wanted = keys.combine_chunks().cast(rows.schema.field(table.key).type)
            rows = rows.filter(pc.is_in(rows.column(table.key), value_set=wanted))
        best = _latest(table, (best, rows))
    return best


def _portions(tasks: Iterable[FileScanTask]) -> Iterator[list[FileScanTask]]:
    """Groups files into portions of about READ_BYTES, each read in parallel."""
    portion: list[FileScanTask] = []
    for task in tasks:
        portion.append(task)
        if sum(member.file.file_size_in_bytes for member in portion) >= READ_BYTES:
            yield portion
            portion = []
    if portion:
        yield portion


def _latest(table: Table, tables: Iterable[pa.Table]) -> pa.Table:
    """Returns the latest row of each key in all of the tables, by the same order as in the warehouse."""
    rows = pa.concat_tables(tables, promote_options="permissive")
    if rows.column(table.key).null_count:
        rows = rows.filter(pc.is_valid(rows.column(table.key)))
    if pc.count_distinct(rows.column(table.key)).as_py() == len(rows):
        return rows
    order = [(name, "descending") for name in table.latest_first]
    ranked = pc.sort_indices(rows.select(table.latest_first), sort_keys=order, null_placement="at_end")
    keys = pa.table({"key": rows.column(table.key).take(ranked), "place": pa.array(range(len(rows)), pa.int64())})
    first = keys.group_by("key", use_threads=False).aggregate([("place", "min")])
    return rows.take(ranked.take(first.column("place_min")))
