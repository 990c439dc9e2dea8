"""Arrow columns of the declared types: their Arrow types, the values that fit, and conversion from other types.

A whole column is converted at once if Arrow's conversion is exact. Otherwise its values are checked one by one, so that
the same values fit as in JSON.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Optional, Union

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from spark_jobs.engine.formats.checks import UnfitError, field_check
from spark_jobs.engine.formats.paths import Tree, follow, left_of, taken
from spark_jobs.engine.formats.rescue import plain, rescued
from tidemark.core.column_types import ColumnType, Family
from tidemark.core.dataset import RESCUED, Column, Field

#: Types from which Arrow converts exactly or fails: each value becomes what the checks would make of it.
_EXACT = {
    Family.TEXT: (pt.is_string, pt.is_large_string, pt.is_binary, pt.is_large_binary, pt.is_integer, pt.is_boolean),
    Family.INTEGER: (pt.is_integer,),
    Family.FLOAT: (pt.is_floating, pt.is_integer),
    Family.DECIMAL: (pt.is_decimal, pt.is_integer),
    Family.BOOLEAN: (pt.is_boolean,),
    Family.DATE: (pt.is_date,),
    Family.TIMESTAMP: (pt.is_timestamp, pt.is_date),
}

#: A column as read: an Arrow array, or Python values if no single type fits them.
Values = Union[pa.Array, Sequence[Any]]


def arrow_type(type_: ColumnType) -> pa.DataType:
    """The Arrow type that Spark expects for a declared type."""
    return _constructed(type_.arrow)


@cache
def _constructed(call: str) -> pa.DataType:
    return _evaluated(ast.parse(call, mode="eval").body)


def _evaluated(node: ast.expr) -> Any:
    """The result of a call of a pyarrow constructor, whose arguments are literals or other such calls."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return getattr(pa, node.func.id)(*map(_evaluated, node.args))
    return ast.literal_eval(node)


def schema_of(columns: Iterable[Union[Column, Field]]) -> pa.Schema:
    """The Arrow schema of columns."""
    return pa.schema([(column.name, arrow_type(column.type)) for column in columns])


def record_schema(fields: Sequence[Field]) -> pa.Schema:
    """The schema of a file reader's tables: the declared fields, then `_rescued` for the undeclared ones."""
    return schema_of([*fields, RESCUED])


def fits(field: Field, column: Union[pa.Array, pa.ChunkedArray]) -> bool:
    """Whether a column of the declared type meets what Arrow does not check: lengths, ranges, declared values."""
    longest = field.type.bytes_max
    if longest is not None:
        short = (pc.max(pc.binary_length(column)).as_py() or 0) <= longest
        return (
            short
            and not _has_zeros(column)
            and (not field.values or _all(pc.is_in(column.drop_null(), pa.array(field.values))))
        )
    if field.type.family is Family.FLOAT:
        return _all(pc.is_finite(column))
    bounds = _bounds(field.type)
    return bounds is None or _all(pc.and_(pc.greater_equal(column, bounds[0]), pc.less_equal(column, bounds[1])))


def _has_zeros(column: Union[pa.Array, pa.ChunkedArray]) -> bool:
    """Whether a text has a zero byte. Searches the column's whole buffer first, because that is faster."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    buffers = [buffer for chunk in chunks for buffer in chunk.buffers()[2:] if buffer]
    suspect = any(b"\0" in buffer.to_pybytes() for buffer in buffers)
    return suspect and pc.any(pc.match_substring(column, "\0")).as_py() is True


def since_epoch(column: pa.Array, unit: str) -> pa.Array:
    """Integers in that unit since 1970 as timestamps, truncated to microseconds; `ArrowInvalid` if out of range."""
    timestamps = column.cast(pa.int64()).cast(pa.timestamp(unit))
    if unit == "ns":
        timestamps = pc.floor_temporal(timestamps, unit="microsecond")
    return timestamps.cast(pa.timestamp("us")).cast(arrow_type(ColumnType("timestamp")))


def _all(true: Union[pa.Array, pa.ChunkedArray]) -> bool:
    return pc.all(true).as_py() is not False


@cache
def _bounds(type_: ColumnType) -> Optional[tuple[pa.Scalar, pa.Scalar]]:
    """The smallest and the largest value, for types whose range Arrow does not enforce."""
    if type_.family is Family.DECIMAL:
        # The JSON parser checks the digits as written, not those that the scale appends.
        precision, scale = type_.arguments
        most = Decimal((0, (9,) * precision, -scale))
        least = most.copy_negate()  # exact, whereas `-most` would round to 28 digits
        return pa.scalar(least, arrow_type(type_)), pa.scalar(most, arrow_type(type_))
    if type_.row.bounds is None:
        return None
    least, most = (pa.scalar(bound).cast(arrow_type(type_)) for bound in type_.row.bounds)
    return least, most


def typed(columns: Mapping[str, Values], rows: int, fields: Sequence[Field]) -> tuple[pa.Table, dict[int, str]]:
    """Columns by raw name → a table of all rows in the declared types, and the reasons for rejection by row.

    Nulls of undeclared columns are omitted from `_rescued`, because in these formats every row has every column.
    """
    tree = taken(fields)
    outcomes = [_typed(_values_of(columns, rows, field), field) for field in fields]
    outcomes.append(_rescued(dict(_left(columns, tree)), rows))
    table = pa.table([array for array, _ in outcomes], schema=record_schema(fields))
    reasons: dict[int, str] = {}
    for _, unfit in reversed(outcomes):  # so that the first field's reason wins
        reasons.update(unfit)
    return table, reasons


def _values_of(columns: Mapping[str, Values], rows: int, field: Field) -> Values:
    """The field's values, out of the column that it lies in."""
    first, *inner = field.steps
    column = columns.get(str(first), pa.nulls(rows))
    if not inner:
        return column
    if isinstance(column, pa.Array) and pt.is_struct(column.type) and _has_members(column.type, inner):
        return pc.struct_field(column, inner)
    return [follow(value, tuple(inner)) for value in shown(column)]


def _has_members(type_: pa.DataType, names: Sequence[Any]) -> bool:
    for name in names:
        if not (isinstance(name, str) and pt.is_struct(type_) and type_.get_field_index(name) >= 0):
            return False
        type_ = type_.field(name).type
    return True


def _left(columns: Mapping[str, Values], tree: Tree) -> Iterator[tuple[str, Values]]:
    """The columns that no field takes, and what fields leave of the others."""
    for name, column in columns.items():
        if name not in tree:
            yield name, column
        elif (below := tree[name]) is not None:
            yield name, [left_of(value, below) for value in shown(column)]


def _typed(column: Values, field: Field) -> tuple[pa.Array, dict[int, str]]:
    """The column in its field's type; a value that does not fit becomes null and has a reason."""
    array = _converted(column, field) if isinstance(column, pa.Array) else None
    reasons: dict[int, str] = {}
    if array is None:
        check = field_check(field)
        outcomes = [_outcome(check, value) for value in shown(column)]
        reasons = {row: f"{field.raw}: {reason}" for row, (_, reason) in enumerate(outcomes) if reason}
        array = pa.array([value for value, _ in outcomes], arrow_type(field.type))
    if field.required and array.null_count:
        for row in pc.indices_nonzero(array.is_null()).to_pylist():
            reasons.setdefault(row, f"{field.raw} is missing")
    return array, reasons


def _outcome(check: Callable[[Any], Any], value: Any) -> tuple[Any, str]:
    """The checked value, or the reason why it does not fit."""
    if isinstance(value, bytes):
        return None, "invalid UTF-8"
    try:
        return None if value is None else check(value), ""
    except UnfitError as error:
        return None, str(error)


def _converted(column: pa.Array, field: Field) -> Optional[pa.Array]:
    """The column, converted as a whole; None if that would not be exact or a value does not fit."""
    column = _stored(column)
    counted = bool(field.unit) and pt.is_integer(column.type)
    exact = pt.is_null(column.type) or any(is_one(column.type) for is_one in _EXACT[field.type.family])
    if not counted and not exact:
        return None
    try:
        if counted or (pt.is_timestamp(column.type) and column.type.unit == "ns"):
            column = since_epoch(column, field.unit if counted else "ns")
        array = column.cast(arrow_type(field.type))
        array.validate(full=True)  # text in Parquet may be invalid UTF-8
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return array if fits(field, array) else None


def shown(column: Values) -> list[Any]:
    """The values as in JSON; a value that Python cannot represent, such as the year 10000, as Arrow prints it."""
    if not isinstance(column, pa.Array):
        return [plain(value) for value in column]
    column = _stored(column)
    column = column.cast(_undecoded(column.type))
    try:
        return [plain(value) for value in column.to_pylist(maps_as_pydicts="strict")]
    except (ValueError, OverflowError, LookupError, TypeError):
        return [shown(column.slice(row, 1))[0] for row in range(len(column))] if len(column) > 1 else [_single(column)]


def _single(column: pa.Array) -> Any:
    """A single value; a map with equal keys or struct keys remains a list of pairs."""
    try:
        return plain(column[0].as_py())
    except (ValueError, OverflowError, TypeError):
        return _printed(column)


def _undecoded(type_: pa.DataType) -> pa.DataType:
    """The type with bytes instead of strings, because strings in a file may be invalid UTF-8."""
    if pt.is_string(type_) or pt.is_large_string(type_):
        return pa.large_binary()
    if pt.is_struct(type_):
        return pa.struct([_part(type_.field(at)) for at in range(type_.num_fields)])
    if pt.is_map(type_):
        return pa.map_(_undecoded(type_.key_type), _undecoded(type_.item_type))
    if pt.is_list(type_):
        return pa.list_(_part(type_.value_field))
    if pt.is_large_list(type_):
        return pa.large_list(_part(type_.value_field))
    if pt.is_fixed_size_list(type_):
        return pa.list_(_part(type_.value_field), type_.list_size)
    return type_


def _part(field: pa.Field) -> pa.Field:
    return field.with_type(_undecoded(field.type))


def _stored(column: pa.Array) -> pa.Array:
    """The storage values of extension types (except UUIDs) and the decoded values of dictionaries."""
    if isinstance(column, pa.ExtensionArray) and column.type.extension_name != "arrow.uuid":
        column = column.storage
    return column.dictionary_decode() if pt.is_dictionary(column.type) else column


def _printed(column: pa.Array) -> str:
    try:
        return str(column.cast(pa.string())[0].as_py())
    except pa.ArrowException:
        return " ".join(column.to_string().split())


def _rescued(columns: Mapping[str, Values], rows: int) -> tuple[pa.Array, dict[int, str]]:
    """The undeclared columns as JSON by row; null with a reason if the JSON would be too long."""
    if not columns:
        return pa.nulls(rows, pa.string()), {}
    records = zip(*map(shown, columns.values()))
    unknown = ({name: value for name, value in zip(columns, values) if value is not None} for values in records)
    outcomes = [_outcome(rescued, fields) for fields in unknown]
    reasons = {row: reason for row, (_, reason) in enumerate(outcomes) if reason}
    return pa.array([text for text, _ in outcomes], pa.string()), reasons
