"""Values and the columns that are declared for them: what does not fit fails by the name of table and column.

A type that cannot fit is refused before anything runs. A number, text or moment that its column cannot hold ends the
run: rounded, cut or null it would be lost in silence. Neither the batch's files nor another try would cure it, so the
failure asks for a person.
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


def fitted(found: T.StructField, declared: Declared, table: Table) -> Column:
    """The column as it is declared; `DeclarationError` where its type does not fit."""
    name, given = f"{table.name}.{declared.name}", found.dataType.simpleString()
    value = F.col(declared.name)
    if given == declared.type.spark or _widens(found.dataType, declared):
        fit = _within(value.cast(declared.type.spark), declared, name)
    elif _narrows(found.dataType, declared):
        fit = _exact(value, declared, name, given)
    else:
        raise DeclarationError(f"expected {declared.type.spark}, found {given}", (table.name, declared.name))
    return fit.alias(declared.name)


def is_overflow(error: BaseException) -> bool:
    """Whether an expression's value was too large for the expression's own type."""
    return bool(_OVERFLOW.search(str(error)))


def overflowing(frame: DataFrame, table: Table) -> Optional[str]:
    """The first declared column whose computation overflows; each is computed alone until one does."""
    return next((column.name for column in table.columns if _overflows(frame.select(column.name))), None)


def _overflows(frame: DataFrame) -> bool:
    try:
        frame.write.format("noop").mode("overwrite").save()
    except Exception as error:  # noqa: BLE001  # py4j and Spark raise many kinds
        return is_overflow(error)
    return False


def _widens(found: T.DataType, declared: Declared) -> bool:
    """Whether every value of the one type is exactly a value of the other."""
    needs, holds = _needs(found), declared.type.digits
    if needs and holds:
        return needs[0] <= holds[0] and needs[1] <= holds[1]
    return declared.type.family is Family.FLOAT and found.simpleString() in ("float", "int")


def _narrows(found: T.DataType, declared: Declared) -> bool:
    """Whether a value of the one type either is a value of the other, or is too large for it."""
    needs, holds = _needs(found), declared.type.digits
    return bool(needs and holds and needs[1] <= holds[1])


def _needs(found: T.DataType) -> Optional[tuple[int, int]]:
    """Digits before and behind the point that values of an exact number's type may have."""
    if isinstance(found, T.DecimalType):
        return found.precision - found.scale, found.scale
    whole = _NEEDS.get(found.simpleString())
    return (whole, 0) if whole else None


def _exact(value: Column, declared: Declared, name: str, given: str) -> Column:
    """The number in a smaller type, where it has room for it."""
    cast = F.expr(f"try_cast(`{declared.name}` AS {declared.type.spark})")
    too_large = value.isNotNull() & cast.isNull()
    told = F.concat(F.lit("found "), value.cast("string"), F.lit(f" (declare {given})"))
    return _unless(too_large, cast, f"{name}: expected {declared.type}, ", told)


def _within(value: Column, declared: Declared, name: str) -> Column:
    """The value; texts and moments have bounds that their type in Spark does not know.

    Redshift takes a zero byte for the end of the text, or refuses the whole load. The checks of a record keep it out,
    but `_rescued` spells it as an escape, and a transform may read that.
    """
    longest, bounds = declared.type.bytes_max, declared.type.row.bounds
    if longest is not None:
        size = F.octet_length(value)
        told = F.concat(F.lit("found "), size.cast("string"))
        short = _unless(size > longest, value, f"{name}: expected at most {longest} bytes, ", told)
        return _unless(F.contains(value, F.lit("\0")), short, f"{name}: expected text, ", F.lit("found a zero byte"))
    if bounds:
        first, last = (F.lit(bound).cast(declared.type.spark) for bound in bounds)
        told = F.concat(F.lit("found "), value.cast("string"))
        return _unless((value < first) | (value > last), value, f"{name}: expected a year from 1 to 9999, ", told)
    return value


def _unless(unfit: Column, value: Column, expected: str, found: Column) -> Column:
    """The value; one that is unfit fails the job, with a report that says whose business that is."""
    message = F.concat(F.lit(expected), found)
    report = F.to_json(F.struct(F.lit("beyond").alias("kind"), message.alias("message")))
    return F.when(unfit, F.raise_error(F.concat(F.lit(ReadError.MARK), report))).otherwise(value)
