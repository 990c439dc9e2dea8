"""Reads Avro's logical types exactly: no value is rounded, and an unrepresentable value does not end its block.

fastavro's own readers round decimals to the schema's precision and fail on the year 10000, which would lose the rest of
the block. Here, a value that Python cannot represent becomes a text that describes it and that no check accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any
from uuid import UUID

from fastavro import _read_py
from fastavro.read import LOGICAL_READERS

_PREFIX = "tidemark-"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
#: The size of a decimal with about ten thousand digits; converting it to text takes quadratic time.
_DECIMAL_BYTES_MAX = 4_096
_UNROUNDED = Context(prec=10_000, Emin=MIN_EMIN, Emax=MAX_EMAX)

Read = Callable[[Any, Any], Any]


def renamed(schema: Any) -> Any:
    """The parsed JSON of a schema, in which the logical types that this module reads are renamed."""
    if isinstance(schema, list):
        return [renamed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: renamed(part) for key, part in schema.items()}
    if f"{schema.get('type')}-{schema.get('logicalType')}" in _READ:
        parts["logicalType"] = _PREFIX + schema["logicalType"]
    return parts


def _timestamp(per_second: int, *, zone: bool) -> Read:
    epoch = _EPOCH if zone else _EPOCH.replace(tzinfo=None)

    def read(value: int, _: Any) -> Any:
        try:
            return epoch + value * 1_000_000 // per_second * _MICROSECOND
        except OverflowError:
            return f"{value}/{per_second} seconds since 1970"

    return read


def _date(value: int, _: Any) -> Any:
    try:
        return date(1970, 1, 1) + timedelta(days=value)
    except OverflowError:
        return f"{value} days since 1970"


def _time(per_second: int) -> Read:
    def read(value: int, _: Any) -> Any:
        if not 0 <= value < 86_400 * per_second:
            return f"{value}/{per_second} seconds of a day"
        return (_EPOCH + value * 1_000_000 // per_second * _MICROSECOND).time()

    return read


def _decimal(value: bytes, schema: Any) -> Any:
    if len(value) > _DECIMAL_BYTES_MAX:
        return f"a decimal of {len(value)} bytes"
    number = Decimal(int.from_bytes(value, "big", signed=True))
    return number.scaleb(-schema.get("scale", 0), context=_UNROUNDED)


def _uuid(value: bytes, _: Any) -> Any:
    return UUID(bytes=value) if len(value) == 16 else value


def _unchanged(value: Any, _: Any) -> Any:
    return value


_READ: dict[str, Read] = {
    "long-timestamp-millis": _timestamp(1_000, zone=True),
    "long-timestamp-micros": _timestamp(1_000_000, zone=True),
    "long-timestamp-nanos": _timestamp(1_000_000_000, zone=True),
    "long-local-timestamp-millis": _timestamp(1_000, zone=False),
    "long-local-timestamp-micros": _timestamp(1_000_000, zone=False),
    "long-local-timestamp-nanos": _timestamp(1_000_000_000, zone=False),
    "int-date": _date,
    "int-time-millis": _time(1_000),
    "long-time-micros": _time(1_000_000),
    "bytes-decimal": _decimal,
    "fixed-decimal": _decimal,
    "string-uuid": _unchanged,
    "fixed-uuid": _uuid,
}


def _register(name: str, read: Read) -> None:
    of, _, type_ = name.partition("-")

    def called(value: Any, schema: Any, _: Any = None) -> Any:
        return read(value, schema)

    for readers in (LOGICAL_READERS, _read_py.LOGICAL_READERS):  # type: ignore[attr-defined]  # the compiled and the Python reader
        readers[f"{of}-{_PREFIX}{type_}"] = called


for _name, _read in _READ.items():
    _register(_name, _read)
