"""Computes the length of a Parquet file's content before the footer, to find its beginning in concatenated files.

pyarrow does not expose the positions of page indexes and Bloom filters, so this module parses the footer: Thrift's
compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md) with the field
numbers of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spark_jobs.engine.formats.varints import signed, varint

_ROW_GROUPS, _COLUMNS, _META = 4, 1, 3  # fields of the file, of a row group, and of a column chunk
_SIZE, _DATA, _INDEX, _DICTIONARY = 7, 9, 10, 11  # fields of a column chunk's metadata
#: Fields with offset and length of indexes and Bloom filters: of a column chunk, and of its metadata.
_OF_COLUMN, _OF_META = ((4, 5), (6, 7)), ((14, 15),)
_DEPTH_MAX = 32
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = 1, 2, 3, 7, 8, 9, 10, 11, 12, 13
_INTEGERS = (4, 5, 6)


def extent(footer: bytes) -> int:
    """The end of the last content that the footer refers to; `ValueError` if it is not a valid footer."""
    try:
        file, _ = _struct(footer, 0, 0)
        columns = (column for group in file.get(_ROW_GROUPS, ()) for column in group.get(_COLUMNS, ()))
        return max((end for column in columns for end in _ends(column)), default=4)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("not a Parquet footer") from error


def _ends(column: dict[int, Any]) -> Iterator[int]:
    meta = column.get(_META, {})
    if _SIZE in meta:
        yield min(meta[at] for at in (_DATA, _INDEX, _DICTIONARY) if meta.get(at)) + meta[_SIZE]
    for of, ranges in ((column, _OF_COLUMN), (meta, _OF_META)):
        yield from (of[at] + of.get(size, 0) for at, size in ranges if at in of)


def _struct(data: bytes, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """The fields of a struct by number, and the position after it."""
    fields: dict[int, Any] = {}
    number = 0
    while True:
        head, at = data[at], at + 1
        if not head:
            return fields, at
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(data, at)
        type_ = head & 0x0F
        if type_ in (_TRUE, _FALSE):
            fields[number] = type_ == _TRUE
        else:
            fields[number], at = _value(data, at, type_, depth)


def _value(data: bytes, at: int, type_: int, depth: int) -> tuple[Any, int]:
    if type_ in _INTEGERS:
        return _zigzag(data, at)
    if type_ == _BINARY:
        size, at = varint(data, at)
        return None, _within(data, at + size)
    if type_ in (_TRUE, _FALSE, _BYTE, _DOUBLE, _UUID):
        return None, at + {_DOUBLE: 8, _UUID: 16}.get(type_, 1)
    if depth == _DEPTH_MAX:
        raise ValueError("not a Parquet footer: nested too deeply")
    if type_ == _STRUCT:
        return _struct(data, at, depth + 1)
    if type_ == _MAP:
        return _map(data, at, depth + 1)
    if type_ in (_LIST, _SET):
        return _list(data, at, depth + 1)
    raise ValueError(f"not a Parquet footer: a value of type {type_}")


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    head, at = data[at], at + 1
    size = head >> 4
    if size == 15:
        size, at = varint(data, at)
    values = []
    for _ in range(size):
        value, at = _value(data, at, head & 0x0F, depth)
        values.append(value)
    return values, _within(data, at)


def _map(data: bytes, at: int, depth: int) -> tuple[None, int]:
    size, at = varint(data, at)
    types, at = (data[at], at + 1) if size else (0, at)
    for _ in range(size):
        _, at = _value(data, at, types >> 4, depth)
        _, at = _value(data, at, types & 0x0F, depth)
    return None, at


def _within(data: bytes, at: int) -> int:
    if at > len(data):
        raise ValueError("not a Parquet footer: it ends too early")
    return at


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = varint(data, at)
    return signed(value), at
