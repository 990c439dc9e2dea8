"""Converts a record's JSON values to typed values, or gives a short reason why a value does not fit. Pure.

Accepted besides the plain case:
    numbers     also in quotes ("200"); a whole number may be written 200.0 or 2e2. NaN and infinity are rejected
    decimal     taken from the digits as written, never through a double; more decimals than declared are rejected
    string      also numbers and booleans, as written. Rejected are objects, lists, more bytes than declared, U+0000,
                and values that the field does not declare, if it declares some
    timestamp   ISO-8601 with `T` or a space, with Z, an offset or neither (then UTC), fractions truncated to
                microseconds; a number counts the field's `unit` since 1970; for fields without one, see `_unit_of`
    date        YYYY-MM-DD
    boolean     also 1 and 0, and the spellings of `TRUE` and `FALSE` in any case, in quotes or not
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_FLOOR, Context, Decimal, Inexact, InvalidOperation
from typing import Any

from spark_jobs.engine.formats.scanner import Number
from tidemark.core.column_types import EPOCH_UNITS, TIMESTAMPS, ColumnType, Family
from tidemark.core.dataset import Field

#: No digit can match two parts of this pattern, so a long text that is not a number is rejected without backtracking.
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
#: Microseconds since 1970.
TIMESTAMP_MIN, TIMESTAMP_MAX = ((datetime.fromisoformat(bound) - _EPOCH) // _MICROSECOND for bound in TIMESTAMPS)
#: Seconds since 1970 in March 1973 and in 2100. A number without a declared unit counts the unit in which it lies
#: between them; no number does so in two units. In any other unit it would lie in the first 48 days of 1970 or after
#: the year 5000.
GUESSED = range(100_000_000, 4_102_444_800)
_UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
TRUE, FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")
_BOOLEANS = {**dict.fromkeys(TRUE, True), **dict.fromkeys(FALSE, False)}
#: pandas writes whole numbers, and booleans, of a column with nulls as 1.0.
_WHOLE_BIT = re.compile(r"([01])\.0+", re.ASCII)
_EXACT = Context(prec=76, traps=[Inexact, InvalidOperation])

Check = Callable[[Any], Any]


class UnfitError(ValueError):
    """A value does not fit its field; the message is the reason."""


class MissingError(UnfitError):
    """A required field is absent or null."""


def row_check(fields: Sequence[Field]) -> Callable[[dict[str, Any]], list[Any]]:
    """A function from a record to its values in the fields' order, or `UnfitError` naming the first bad field."""
    checks = [(field.raw, field.required, field_check(field)) for field in fields]

    def row(record: dict[str, Any]) -> list[Any]:
        values = []
        for name, required, check in checks:
            value = record.get(name)
            if value is not None:
                try:
                    value = check(value)
                except UnfitError as error:
                    raise UnfitError(f"{name}: {error}") from None
            elif required:
                raise MissingError(f"{name} is missing")
            values.append(value)
        return values

    return row


def field_check(field: Field) -> Check:
    """The check of one field's value: that of its type and, if the field declares values, that it is one of them."""
    check, values = value_check(field.type, field.unit), field.values
    return (lambda value: _one_of(check(value), values)) if values else check


def value_check(type_: ColumnType, unit: str = "") -> Check:
    """The check of one type: JSON value (numbers as `Number`) → Python value that pyarrow accepts for the type.

    `unit` is the declared unit of numeric timestamps, or empty.
    """
    return _CHECKS[type_.family](type_, unit)


def _string(value: Any, bytes_max: int) -> str:
    if isinstance(value, (dict, list)):
        raise UnfitError(f"{_show(value)} is not a string")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise UnfitError("an unpaired surrogate") from None
    if size > bytes_max:
        raise UnfitError(f"{size} bytes, at most {bytes_max}")
    if "\0" in text:  # Redshift treats it as the end of the text, or rejects the whole load
        raise UnfitError("a zero byte")
    return text


def _one_of(text: str, values: tuple[str, ...]) -> str:
    if text not in values:
        raise UnfitError(f"{_show(text)} is not one of {', '.join(values)}")
    return text


def _number(value: Any) -> str:
    """The text of a number, which may be in quotes."""
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return value
    raise UnfitError(f"{_show(value)} is not a number")


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise UnfitError(f"{_show(text)} is out of range") from None


def _whole(value: Any, limit: int, kind: str) -> int:
    text = _number(value)
    if _WHOLE.fullmatch(text):
        number = int(text)
    else:
        exact = _exact(text)
        if exact and exact.adjusted() > 20:
            raise UnfitError(f"{_show(text)} is out of range for {kind}")
        if exact != exact.to_integral_value():
            raise UnfitError(f"{_show(text)} is not a whole number")
        number = int(exact) if exact else 0  # int() would write out the digits of 0e999999999
    if not -limit <= number < limit:
        raise UnfitError(f"{_show(text)} is out of range for {kind}")
    return number


def _decimal(value: Any, precision: int, scale: int) -> Decimal:
    text = _number(value)
    exact = _exact(text)
    if exact and exact.adjusted() >= precision - scale:
        raise UnfitError(f"{_show(text)} is out of range for decimal({precision},{scale})")
    try:
        return exact.quantize(Decimal((0, (1,), -scale)), context=_EXACT)
    except (Inexact, InvalidOperation):
        raise UnfitError(f"{_show(text)} has more than {scale} decimals") from None


def _double(value: Any) -> float:
    number = float(_number(value))
    if number in (float("inf"), float("-inf")):
        raise UnfitError(f"{_show(value)} is out of range for double")
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        boolean = _BOOLEANS.get(_WHOLE_BIT.sub(r"\1", value).lower())
        if boolean is not None:
            return boolean
    raise UnfitError(f"{_show(value)} is neither true nor false")


def _date(value: Any) -> date:
    parts = _DATE.fullmatch(value) if isinstance(value, str) else None
    try:
        return date(*map(int, parts.groups()))  # type: ignore[union-attr]  # None is caught as well
    except (AttributeError, ValueError):
        raise UnfitError(f"{_show(value)} is not a date") from None


def _timestamp(value: Any, unit: str) -> int:
    """Microseconds since 1970 UTC."""
    if isinstance(value, Number) or (unit and isinstance(value, str) and NUMBER.fullmatch(value)):
        return _since_epoch(value, unit)
    micros = _iso(value)
    if micros is None or not TIMESTAMP_MIN <= micros <= TIMESTAMP_MAX:
        raise UnfitError(f"{_show(value)} is not a timestamp")
    return micros


def _since_epoch(text: str, unit: str) -> int:
    if not NUMBER.fullmatch(text):
        raise UnfitError(f"{_show(text)} is not a timestamp")
    number = _exact(text)
    if not number:
        return 0  # in any unit
    unit = unit or _unit_of(number)
    if not unit:
        raise UnfitError(f"{_show(text)} may count seconds or parts of them since 1970: declare the field's `unit`")
    micros = _floor(number, 1_000_000, EPOCH_UNITS[unit]) if number.adjusted() <= 20 else TIMESTAMP_MAX + 1
    if not TIMESTAMP_MIN <= micros <= TIMESTAMP_MAX:
        raise UnfitError(f"{_show(text)} {_UNIT_NAMES[unit]} since 1970 are out of range for timestamp")
    return micros


def _unit_of(number: Decimal) -> str:
    """The unit in which the number lies between March 1973 and 2100; empty if there is none."""
    return next(
        (unit for unit, of in EPOCH_UNITS.items() if GUESSED.start * of <= number < GUESSED.stop * of),
        "",
    )


def _floor(number: Decimal, times: int, over: int) -> int:
    """number * times / over, rounded down; `times` and `over` are powers of ten."""
    shift = len(str(times)) - len(str(over))
    exact = number.scaleb(shift, context=Context(prec=max(1, len(number.as_tuple().digits))))
    return int(exact.to_integral_value(ROUND_FLOOR))


def _iso(value: Any) -> int | None:
    parts = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = parts.groups()
    if int(hours or 0) > 23 or int(minutes or 0) > 59:
        return None
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    micros = int((fraction or "").ljust(6, "0")[:6])
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micros, timezone.utc
        )
    except ValueError:
        return None
    return (local - _EPOCH + (offset if sign == "-" else -offset)) // _MICROSECOND


def _text_check(type_: ColumnType, _: str) -> Check:
    bytes_max = type_.bytes_max or 0
    return lambda value: _string(value, bytes_max)


def _whole_check(type_: ColumnType, _: str) -> Check:
    limit = 1 << (type_.row.bits - 1)
    return lambda value: _whole(value, limit, type_.kind)


def _decimal_check(type_: ColumnType, _: str) -> Check:
    precision, scale = type_.arguments
    return lambda value: _decimal(value, precision, scale)


#: Family → a function from a type, and the unit declared for its field, to the check.
_CHECKS: Mapping[Family, Callable[[ColumnType, str], Check]] = {
    Family.TEXT: _text_check,
    Family.INTEGER: _whole_check,
    Family.DECIMAL: _decimal_check,
    Family.FLOAT: lambda _type, _unit: _double,
    Family.BOOLEAN: lambda _type, _unit: _boolean,
    Family.DATE: lambda _type, _unit: _date,
    Family.TIMESTAMP: lambda _type, unit: lambda value: _timestamp(value, unit),
}


def _show(value: Any) -> str:
    """A value as shown in a reason: short and without line breaks."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, Number) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
