"""Converts text columns to the declared types as a whole if Arrow reads every value as the checks would.

Each type has patterns of texts that Arrow and the checks read the same. A column with any other text stays text, and
its values are checked one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Optional

import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.engine.formats.checks import FALSE, NUMBER, TRUE
from spark_jobs.engine.formats.columns import Values, arrow_type, fits, since_epoch
from spark_jobs.engine.formats.scanner import Number
from tidemark.core.column_types import EPOCH_UNITS, Family
from tidemark.core.dataset import Field

Convert = Callable[[Any, pa.DataType], Any]

_TRUE = pa.array([*TRUE, "1.0"])


def _cast(column: pa.Array, type_: pa.DataType) -> pa.Array:
    return column.cast(type_)


def _true(column: pa.Array, _: pa.DataType) -> pa.Array:
    return pc.if_else(pc.is_null(column), None, pc.is_in(pc.ascii_lower(column), _TRUE))


def _timestamp(column: pa.Array, type_: pa.DataType) -> pa.Array:
    return pc.utf8_rtrim(column, "Z").cast(pa.timestamp("us")).cast(type_)


def _since_epoch(unit: str) -> Convert:
    return lambda column, _: since_epoch(column.cast(pa.int64()), unit)


def _whole_part(column: pa.Array, type_: pa.DataType) -> pa.Array:
    return pc.replace_substring_regex(column, r"\.0+$", "").cast(type_)


#: pandas writes the whole numbers of a column with nulls as `17850.0`.
_WHOLE = ((r"-?\d{1,18}", _cast), (r"-?\d{1,18}(\.0+)?", _whole_part))
_WAYS: dict[Family, tuple[tuple[str, Convert], ...]] = {
    Family.INTEGER: _WHOLE,
    Family.FLOAT: ((r"-?\d{1,300}(\.\d+)?", _cast),),
    Family.BOOLEAN: ((rf"(?i:{'|'.join((*TRUE, *FALSE))}|[01]\.0)", _true),),
    Family.DATE: ((r"\d{4}-\d\d-\d\d", _cast),),
    Family.TIMESTAMP: ((r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?Z?", _timestamp),),
}
#: Numbers whose unit can be guessed, because they lie between 2001 and 2100 as seconds or as milliseconds.
_GUESSED = ((r"[1-3]\d{9}", _since_epoch("s")), (r"[1-3]\d{12}", _since_epoch("ms")))
_COUNTED = {unit: ((r"-?\d{1,18}", _since_epoch(unit)),) for unit in EPOCH_UNITS}


def read_as(column: pa.Array, fields: Sequence[Field]) -> Values:
    """The text column in the type of its single field if all values can be converted; else as values for the checks."""
    whole = _whole(column, fields[0]) if len(fields) == 1 else None
    if whole is not None:
        return whole
    if any(field.type.family is Family.TIMESTAMP for field in fields):
        # Digits are a timestamp here, unlike quoted digits in JSON.
        return [Number(text) if text and NUMBER.fullmatch(text) else text for text in column.to_pylist()]
    return column


def _whole(column: pa.Array, field: Field) -> Optional[pa.Array]:
    for pattern, convert in _ways(field):
        if pc.all(pc.match_substring_regex(column, f"^(?:{pattern})$")).as_py() is False:
            continue
        try:
            array = convert(column, arrow_type(field.type))
        except pa.ArrowInvalid:
            return None
        return array if fits(field, array) else None
    return None


def _ways(field: Field) -> tuple[tuple[str, Convert], ...]:
    if field.type.family is Family.TIMESTAMP:
        return (*_WAYS[Family.TIMESTAMP], *(_COUNTED[field.unit] if field.unit else _GUESSED))
    if field.type.family is not Family.DECIMAL:
        return _WAYS.get(field.type.family, ())
    precision, scale = field.type.arguments
    if precision == scale:
        return ()
    decimals = rf"(\.\d{{1,{scale}}})?" if scale else ""
    return ((rf"-?\d{{1,{precision - scale}}}{decimals}", _cast),)
