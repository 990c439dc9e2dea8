"""Checks that a transform's values fit their declared columns; errors name table and column.

A type that cannot fit is rejected before the job runs. A number, text or timestamp that does not fit its column fails
the run, because rounding, truncating or nulling it would silently lose data. Its kind is `beyond`: neither other files
nor another attempt would help, so a person must fix it.
"""

from __future__ import annotations

import re
from typing import Optional

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from spark_jobs.engine.s3_objects import ReadError
from tidemark.core.column_types import Family
from tidemark.core.dataset import Column as Declared
from tidemark.core.dataset import Table
from tidemark.core.errors import DeclarationError

#: Digits that the values of Spark's integer types may have.
_NEEDS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
_OVERFLOW = re.compile(r"\[(?:NUMERIC_VALUE_OUT_OF_RANGE|\w*OVERFLOW\w*)[\].]")


def fitted(actual: T.StructField, declared: Declared, table: Table) -> Column:
    """The column in its declared type; `DeclarationError` if its actual type does not fit."""
    name, actual_type = f"{table.name}.{declared.name}", actual.dataType.simpleString()
    value = F.col(declared.name)
    if actual_type == declared.type.spark or _widens(actual.dataType, declared):
        fit = _within(value.cast(declared.type.spark), declared, name)
    elif _narrows(actual.dataType, declared):
        fit = _exact(value, declared, name, actual_type)
    else:
        raise DeclarationError(f"expected {declared.type.spark}, found {actual_type}", (table.name, declared.name))
    return fit.alias(declared.name)


def is_overflow(error: BaseException) -> bool:
    """Whether the error says that an expression's value was too large for the expression's own type."""
    return bool(_OVERFLOW.search(str(error)))


def overflowing(frame: DataFrame, table: Table) -> Optional[str]:
    """The first declared column whose computation overflows, found by computing each alone; None if there is none."""
    return next((column.name for column in table.columns if _overflows(frame.select(column.name))), None)


def _overflows(frame: DataFrame) -> bool:
    try:
        frame.write.format("noop").mode("overwrite").save()
    except Exception as error:  # noqa: BLE001  # py4j and Spark raise many kinds
        return is_overflow(error)
    return False


def _widens(actual: T.DataType, declared: Declared) -> bool:
    """Whether the declared type can represent every value of the actual type exactly."""
    needs, holds = _needs(actual), declared.type.digits
    if needs and holds:
        return needs[0] <= holds[0] and needs[1] <= holds[1]
    return declared.type.family is Family.FLOAT and actual.simpleString() in ("float", "int")


def _narrows(actual: T.DataType, declared: Declared) -> bool:
    """Whether the declared type can represent a value of the actual type exactly unless it is too large."""
    needs, holds = _needs(actual), declared.type.digits
    return bool(needs and holds and needs[1] <= holds[1])


def _needs(actual: T.DataType) -> Optional[tuple[int, int]]:
    """The digits before and after the point that values of an exact numeric type may have; None for other types."""
    if isinstance(actual, T.DecimalType):
        return actual.precision - actual.scale, actual.scale
    whole = _NEEDS.get(actual.simpleString())
    return (whole, 0) if whole else None


def _exact(value: Column, declared: Declared, name: str, actual_type: str) -> Column:
    """The number in the narrower declared type; fails the job if it does not fit."""
    cast = F.expr(f"try_cast(`{declared.name}` AS {declared.type.spark})")
    too_large = value.isNotNull() & cast.isNull()
    problem = F.concat(F.lit("found "), value.cast("string"), F.lit(f" (declare {actual_type})"))
    return _unless(too_large, cast, f"{name}: expected {declared.type}, ", problem)


def _within(value: Column, declared: Declared, name: str) -> Column:
    """The value; fails the job if a text or timestamp exceeds bounds that Spark's type does not have.

    Redshift treats a zero byte as the end of the text, or rejects the whole load. Records with a zero byte are
    rejected, but `_rescued` contains it as an escape, which a transform may decode.
    """
    longest, bounds = declared.type.bytes_max, declared.type.row.bounds
    if longest is not None:
        size = F.octet_length(value)
        problem = F.concat(F.lit("found "), size.cast("string"))
        short = _unless(size > longest, value, f"{name}: expected at most {longest} bytes, ", problem)
        return _unless(F.contains(value, F.lit("\0")), short, f"{name}: expected text, ", F.lit("found a zero byte"))
    if bounds:
        first, last = (F.lit(bound).cast(declared.type.spark) for bound in bounds)
        problem = F.concat(F.lit("found "), value.cast("string"))
        return _unless((value < first) | (value > last), value, f"{name}: expected a year from 1 to 9999, ", problem)
    return value


def _unless(unfit: Column, value: Column, expected: str, problem: Column) -> Column:
    """The value; if it is unfit, the job fails with a failure of kind `beyond`."""
    message = F.concat(F.lit(expected), problem)
    report = F.to_json(F.struct(F.lit("beyond").alias("kind"), message.alias("message")))
    return F.when(unfit, F.raise_error(F.concat(F.lit(ReadError.MARK), report))).otherwise(value)
