"""Converts columns of rows to a file reader's pieces: typed tables, and rejected rows with number and reason."""

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
    """Raises `DamagedError` if a required column or all declared columns are missing, or if a column occurs twice.

    A file with missing columns has no records of this dataset.
    """
    for field in fields:
        if field.required and field.steps[0] not in names:
            raise DamagedError(f"expected a column {field.steps[0]}, found {', '.join(names)}")
    if not any(field.steps[0] in names for field in fields):
        expected = " or ".join(dict.fromkeys(str(field.steps[0]) for field in fields))
        raise DamagedError(f"expected a column {expected}, found {', '.join(names) or 'none'}")
    for name, times in Counter(names).items():
        if times > 1:
            raise DamagedError(f"expected one column {name}, found {times}")


def pieces(columns: Mapping[str, Values], rows: int, first: int, fields: Sequence[Field]) -> list[Piece]:
    """The pieces for columns by raw name, each with `rows` values; `first` is the first row's number in its file.

    Such files have neither lines nor text: a rejected row's position is its number from 0, its line the number from 1,
    and its raw text the row as JSON.
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
