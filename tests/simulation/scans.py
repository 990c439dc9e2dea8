"""Scans of a snapshot's files: conditions on rows, files skipped by their bounds, rows as Arrow tables.

Supports as much of pyiceberg's scans as `tidemark.adapters.latest_rows` and `tidemark.adapters.snapshots` use; raises
for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import AlwaysFalse, AlwaysTrue, EqualTo, In
from pyiceberg.schema import Schema

from tests.simulation.job import DataStore, Row

CONDITION = re.compile(r"\"?(\w+)\"? (=|!=|>=|<) '([^']*)'")
#: Operator → whether a file with values from `low` to `high` may have a row that meets the condition.
MAY: dict[str, Callable[[Any, Any, str], bool]] = {
    "=": lambda low, high, value: low <= value <= high,
    "!=": lambda low, high, value: not low == high == value,
    ">=": lambda low, high, value: high >= value,
    "<": lambda low, high, value: low < value,
}
DOES: dict[str, Callable[[Any, str], bool]] = {
    "=": lambda found, value: found == value,
    "!=": lambda found, value: found != value,
    ">=": lambda found, value: found >= value,
    "<": lambda found, value: found < value,
}
TYPES = {"int": pa.int32(), "long": pa.int64()}


@dataclass(frozen=True)
class SimScan:
    """The rows of files that meet a condition; has the attributes that `ArrowScan` takes from it."""

    data: DataStore
    schema: Schema
    files: tuple[str, ...]
    where: Any

    @property
    def table_metadata(self) -> SimScan:
        """Passed to `ArrowScan`, like the next three."""
        return self

    io = row_filter = property(lambda self: self)

    def projection(self) -> Schema:
        """All columns; a caller that asks for fewer ignores the others."""
        return self.schema

    def plan_files(self) -> list[Any]:
        """The files whose bounds allow rows that meet the condition."""
        if isinstance(self.where, AlwaysFalse):
            return []
        conditions = _conditions(self.where, self.schema)
        planned = []
        for uri in self.files:
            size, rows = self.data.files[uri][0], self._rows(uri)
            if all(_may_meet(condition, rows) for condition in conditions):
                file = SimpleNamespace(file_path=uri, file_size_in_bytes=size, record_count=len(rows))
                planned.append(SimpleNamespace(file=file))
        return planned

    def to_table(self, tasks: Iterable[Any]) -> pa.Table:
        """The rows of the tasks' files that meet the condition."""
        meets = matching(self.where, self.schema)
        rows = [row for task in tasks for row in self._rows(task.file.file_path) if meets(row)]
        return to_arrow(self.schema, rows)

    def _rows(self, uri: str) -> list[Row]:
        return self.data.shaped(uri, self.schema.column_names)

    def to_arrow(self) -> pa.Table:
        """All rows that meet the condition."""
        return self.to_table(self.plan_files())

    def to_arrow_batch_reader(self) -> list[pa.RecordBatch]:
        """The same rows, batch by batch."""
        return self.to_arrow().to_batches()  # type: ignore[no-any-return]

    def count(self) -> int:
        """Number of rows that meet the condition."""
        return sum(task.file.record_count for task in self.plan_files())


def arrow_scan(metadata: SimScan, io: SimScan, schema: Schema, row_filter: SimScan) -> SimScan:
    """Replaces pyiceberg's class: reads the files of a scan."""
    return metadata


def to_arrow(schema: Schema, rows: list[Row]) -> pa.Table:
    """The rows as a typed table; times and dates are text."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema.fields)
    return pa.table(
        {
            field.name: pa.array(column, TYPES.get(str(field.field_type), pa.string()))
            for field, column in zip(schema.fields, columns, strict=True)
        }
    )


def to_rows(table: pa.Table) -> list[Row]:
    """The inverse of `to_arrow`."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def matching(where: Any, schema: Schema) -> Callable[[Row], bool]:
    """Whether a row meets a condition, given as text or as an expression."""
    if isinstance(where, (AlwaysTrue, AlwaysFalse)):
        return lambda _: isinstance(where, AlwaysTrue)
    if isinstance(where, (In, EqualTo)):
        at = _position(schema, where.term.name)  # type: ignore[attr-defined]
        literals = where.literals if isinstance(where, In) else {where.literal}
        values = {literal.value for literal in literals}
        return lambda row: row[at] in values
    conditions = _conditions(where, schema)
    return lambda row: all(row[at] is not None and DOES[operator](row[at], value) for at, operator, value in conditions)


def _conditions(where: Any, schema: Schema) -> list[tuple[int, str, str]]:
    """The condition as (column, operator, value) triples that must all hold."""
    if isinstance(where, AlwaysTrue):
        return []
    parts = [CONDITION.fullmatch(part) for part in where.split(" AND ")]
    return [(_position(schema, part[1]), part[2], part[3]) for part in parts if part or _unknown(where)]


def _unknown(where: Any) -> bool:
    raise NotImplementedError(where)


def _may_meet(condition: tuple[int, str, str], rows: list[Row]) -> bool:
    at, operator, value = condition
    found = [row[at] for row in rows if row[at] is not None]
    return bool(found) and MAY[operator](min(found), max(found), value)


def _position(schema: Schema, name: str) -> int:
    return schema.column_names.index(name)
