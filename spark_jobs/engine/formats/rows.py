"""Rows that came in columns, as a file reader gives them out: good ones typed, the others with number and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa

from spark_jobs.engine.decompression.source import DamagedError
from spark_jobs.engine.formats.checks import UnfitError
from spark_jobs.engine.formats.columns import Values, shown, typed
from spark_jobs.engine.formats.records import RAW_MAX, Piece
from spark_jobs.engine.formats.rescue import written
from tidemark.core.dataset import Field
from tidemark.core.job import Rejected


def same_names(names: Sequence[str], fields: Sequence[Field]) -> None:
    """`DamagedError` when no row could be kept, or when a column is there twice.

    A file that lacks a required column, or has none of the declared ones, has no record of this dataset.
    """
    for field in fields:
        if field.required and field.raw not in names:
            raise DamagedError(f"expected a column {field.raw}, found {', '.join(names)}")
    if not any(field.raw in names for field in fields):
        expected = " or ".join(field.raw for field in fields)
        raise DamagedError(f"expected a column {expected}, found {', '.join(names) or 'none'}")
    for name, times in Counter(names).items():
        if times > 1:
            raise DamagedError(f"expected one column {name}, found {times}")


def pieces(columns: Mapping[str, Values], rows: int, first: int, fields: Sequence[Field]) -> list[Piece]:
    """Columns by their raw names, each of `rows` values; the first row has the number `first` in its file.

    Such a file has neither lines nor a text: a rejected row's position is its number from 0, its line that from 1,
    and its raw text is written as JSON.
    """
    table, reasons = typed(columns, rows, fields)
    rejected = [
        Rejected(first + row, first + row + 1, reason, _row_text(columns, row))
        for row, reason in sorted(reasons.items())
    ]
    if not rejected:
        return [table] if rows else []
    good = table.filter(pa.array([row not in reasons for row in range(rows)]))
    return [good, rejected] if good.num_rows else [rejected]


def _row_text(columns: Mapping[str, Values], row: int) -> str:
    values = {name: shown(column[row : row + 1])[0] for name, column in columns.items()}
    try:
        return written({name: value for name, value in values.items() if value is not None})[:RAW_MAX]
    except UnfitError as error:
        return str(error)
