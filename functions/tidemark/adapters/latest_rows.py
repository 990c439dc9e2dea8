"""Which rows a lake table of the latest rows is to show, after a batch's rows were replaced in what it is made of.

`<name>_by_batch` stores every row, `<name>` shows the latest of each key. A batch can change only the keys that it now
has rows of, and those that `<name>` shows by one of its rows; no other row is looked at, whatever the history is:

- its present rows compete with what `<name>` shows of their keys;
- where `<name>` shows an older attempt's row, which may be gone, all stored rows of that key compete.

Why publishers at once end in the right rows: each reads `<name>` first, then what is stored, and its commit is refused
if `<name>` has changed since. So of two that touch one key, the later to commit has read what both have stored.

Memory: the rows that compete, those that win, and files of READ_BYTES at a time, decompressed.
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

READ_BYTES = 64 << 20  # of files, as they lie in S3


def latest_rows(
    table: Table, shown: IcebergTable, stored: IcebergTable, batch_id: str
) -> tuple[BooleanExpression, pa.Table]:
    """Which rows of `shown` have to go, and those that come in their place: the latest row of each key.

    A row without a key is stored and never shown. Where nothing was ever shown, the rows of all keys come: a table that
    was dropped is made anew, whole. A batch of most keys replaces all rows, for a long list of keys is slow.
    """
    if shown.current_snapshot() is None:
        return AlwaysFalse(), _best(table, stored)
    key, of_batch = str(table.key), f"_batch_id = '{batch_id}'"
    fresh = _best(table, stored, of_batch)
    coming = fresh.column(key)
    going = shown.scan(of_batch, selected_fields=(key,)).to_arrow().column(key)
    whole = 2 * (len(coming) + len(going)) > shown.scan().count()
    present = _best(table, shown, f"_batch_id != '{batch_id}'", None if whole else coming)
    others = _best(table, stored, keys=going) if len(going) else fresh.slice(0, 0)
    rows = _latest(table, (fresh, present, others)).select(shown.schema().column_names)
    return AlwaysTrue() if whole else _one_of(key, {*coming.to_pylist(), *going.to_pylist()}), rows


def _one_of(key: str, values: Iterable[Any]) -> BooleanExpression:
    return In(term=Reference(key), values={literal(value) for value in values})


def _best(table: Table, iceberg: IcebergTable, where: str = "", keys: pa.ChunkedArray | None = None) -> pa.Table:
    """Of the rows where that holds, the latest of each key; of `keys` alone, if they are given."""
    scan = iceberg.scan(where) if where else iceberg.scan()
    read = ArrowScan(scan.table_metadata, scan.io, scan.projection(), scan.row_filter).to_table
    best = read([])
    for tasks in _portions(scan.plan_files()):
        rows = read(tasks)
        if keys is not None:
            known = keys.combine_chunks().cast(rows.schema.field(table.key).type)
            rows = rows.filter(pc.is_in(rows.column(table.key), value_set=known))
        best = _latest(table, (best, rows))
    return best


def _portions(tasks: Iterable[FileScanTask]) -> Iterator[list[FileScanTask]]:
    """Files that are read side by side."""
    portion: list[FileScanTask] = []
    for task in tasks:
        portion.append(task)
        if sum(one.file.file_size_in_bytes for one in portion) >= READ_BYTES:
            yield portion
            portion = []
    if portion:
        yield portion


def _latest(table: Table, parts: Iterable[pa.Table]) -> pa.Table:
    """The latest row of each key; the same order as the warehouse's."""
    rows = pa.concat_tables(parts, promote_options="permissive")
    if rows.column(table.key).null_count:
        rows = rows.filter(pc.is_valid(rows.column(table.key)))
    if pc.count_distinct(rows.column(table.key)).as_py() == len(rows):
        return rows
    order = [(name, "descending") for name in table.latest_first]
    ranked = pc.sort_indices(rows.select(table.latest_first), sort_keys=order, null_placement="at_end")
    keys = pa.table({"key": rows.column(table.key).take(ranked), "place": pa.array(range(len(rows)), pa.int64())})
    first = keys.group_by("key", use_threads=False).aggregate([("place", "min")])
    return rows.take(ranked.take(first.column("place_min")))
