"""What a transform gives and what is declared: it fits, or the failure names table and column."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from spark_jobs.engine import failures, reader, writer
from tests.core.test_column_types import EXAMPLES
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Table
from tidemark.core.errors import DeclarationError
from tidemark.core.job import RunFailure


def table(declared: str) -> Table:
    return Table("stays", "report", (Column("v", ColumnType.parse(declared)),))


def fitted(spark: SparkSession, expression: str, declared: str) -> Any:
    """The one value as it would be written."""
    frame = spark.range(1).selectExpr(f"{expression} AS v")
    (row,) = writer.conforming(frame, table(declared), "b", 1).collect()
    return row["v"]


def test_spark_parses_the_form_of_every_type(spark: SparkSession) -> None:
    """A frame with a column of every type has the declared types."""
    types = [ColumnType.parse(one) for one in EXAMPLES]
    columns = [Column(f"c{number}", type_) for number, type_ in enumerate(types)]
    frame = spark.createDataFrame([], reader.ddl(columns))
    assert [field.dataType.simpleString() for field in frame.schema] == [type_.spark for type_ in types]


@pytest.mark.parametrize(
    ("expression", "declared", "value"),
    [
        ("CAST(7 AS decimal(18,2))", "decimal(3,2)", Decimal("7.00")),
        ("CAST(null AS decimal(18,2))", "decimal(3,2)", None),
        ("7", "decimal(3,2)", Decimal("7.00")),
        ("7L", "int", 7),
        ("CAST(7 AS decimal(20,0))", "bigint", 7),
        ("CAST(7 AS tinyint)", "int", 7),
        ("7", "double", 7.0),
        ("CAST(7.5 AS float)", "double", 7.5),
        ("'seven'", "string(5)", "seven"),
        ("'üü'", "string(4)", "üü"),
        ("CAST(null AS string)", "string(4)", None),
    ],
)
def test_a_value_that_fits_takes_the_declared_type(
    spark: SparkSession, expression: str, declared: str, value: Any
) -> None:
    """A wider type is no fault while its values are small: sums need no cast in a transform."""
    assert fitted(spark, expression, declared) == value


@pytest.mark.parametrize(
    ("expression", "declared", "message"),
    [
        ("CAST(10 AS decimal(18,2))", "decimal(3,2)", "expected decimal(3,2), found 10.00 (declare decimal(18,2))"),
        ("2147483648L", "int", "expected int, found 2147483648 (declare bigint)"),
        ("CAST(4294967296 AS decimal(20,0))", "int", "expected int, found 4294967296 (declare decimal(20,0))"),
        ("100", "decimal(3,2)", "expected decimal(3,2), found 100 (declare int)"),
        ("'sevens'", "string(5)", "expected at most 5 bytes, found 6"),
        ("'üü'", "string(3)", "expected at most 3 bytes, found 4"),
        ("concat('x', char(0))", "string(5)", "expected text, found a zero byte"),
        ("date_sub(DATE'0001-01-01', 1)", "date", "expected a year from 1 to 9999, found 0000-12-31"),
        ("date_add(DATE'9999-12-31', 1)", "date", "expected a year from 1 to 9999, found +10000-01-01"),
        (
            "timestamp_micros(253402300800000000)",
            "timestamp",
            "expected a year from 1 to 9999, found +10000-01-01 00:00:00",
        ),
    ],
)
def test_a_value_that_does_not_fit_ends_the_run_by_name(
    spark: SparkSession, expression: str, declared: str, message: str
) -> None:
    """Never cut, rounded or null, though a transform turned Spark's checks off; and no half of the batch is tried."""
    spark.conf.set("spark.sql.ansi.enabled", "false")
    try:
        with pytest.raises(Exception, match="tidemark-read-error") as raised:
            fitted(spark, expression, declared)
    finally:
        spark.conf.set("spark.sql.ansi.enabled", "true")
    assert failures.of(raised.value) == RunFailure(f"stays.v: {message}", "beyond")


@pytest.mark.parametrize(
    ("expression", "declared"),
    [
        ("CAST(7 AS decimal(18,3))", "decimal(18,2)"),
        ("7.5D", "decimal(18,2)"),
        ("7L", "double"),
        ("'7'", "int"),
        ("7", "string(5)"),
        ("true", "int"),
        ("DATE'2026-01-01'", "timestamp"),
        ("array(7)", "int"),
    ],
)
def test_a_type_that_might_lose_something_is_refused_before_the_run(
    spark: SparkSession, expression: str, declared: str
) -> None:
    """Types with more decimals, and types that only a cast could convert to the declared one."""
    with pytest.raises(DeclarationError, match=r"^stays\.v: expected .*, found ") as raised:
        fitted(spark, expression, declared)
    assert failures.of(raised.value).kind == "beyond"
