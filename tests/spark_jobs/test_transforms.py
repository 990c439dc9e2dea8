"""The transforms on a handful of rows, the contract of their tables, and what a batch keeps once."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from spark_jobs.engine import writer
from spark_jobs.engine.seen_keys import duplicates_marked
from spark_jobs.transforms import content, customers, transactions, web_logs
from tests.spark_jobs.conftest import records, rows, schema
from tidemark.core.dataset import Dataset
from tidemark.core.errors import DeclarationError

MODULES = {"web_logs": web_logs, "transactions": transactions, "content": content, "customers": customers}


@pytest.mark.parametrize("name", MODULES)
def test_every_table_is_as_declared(spark: SparkSession, declared: dict[str, Dataset], name: str) -> None:
    """Columns in the order of COPY, of the declared types, then the system's columns."""
    dataset = declared[name]
    frames = MODULES[name].transform(records(spark, dataset))
    for table in dataset.tables:
        conforming = writer.conforming(frames[table.name], table, "web_logs.20260701T120000.0a1b2c3d", 2)
        assert schema(conforming) == [(column.name, column.type.spark) for column in table.all_columns]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("events"), "user_activity: expected a column `events`, found user_id, event_date"),
        (
            lambda frame: frame.withColumn("x", F.lit(1)),
            "expected user_id, event_date, events, found a column `x` more",
        ),
        (
            lambda frame: frame.withColumn("events", F.col("events").cast("string")),
            "user_activity.events: expected bigint, found string",
        ),
        (
            lambda frame: frame.withColumn("event_date", F.current_timestamp()),
            "user_activity.event_date: expected date, found timestamp",
        ),
    ],
)
def test_a_frame_that_breaks_the_contract_is_named(
    requests: dict[str, DataFrame], declared: dict[str, Dataset], change: Any, message: str
) -> None:
    """Missing, extra, or of a type that could lose something: the message says which column, expected and found."""
    table = declared["web_logs"].table("user_activity")
    with pytest.raises(DeclarationError) as raised:
        writer.conforming(change(requests["user_activity"]), table, "b", 1)
    assert message in str(raised.value)


def test_a_type_that_loses_nothing_is_widened(requests: dict[str, DataFrame], declared: dict[str, Dataset]) -> None:
    """An int fits a bigint."""
    frame = requests["user_activity"].withColumn("events", F.col("events").cast("int"))
    conforming = writer.conforming(frame, declared["web_logs"].table("user_activity"), "b", 1)
    assert dict(schema(conforming))["events"] == "bigint"


def test_a_text_longer_than_its_column_fails_before_it_fails_the_load(
    requests: dict[str, DataFrame], declared: dict[str, Dataset]
) -> None:
    """Redshift counts bytes, and refuses the whole COPY for one text too long."""
    frame = requests["user_activity"].withColumn("user_id", F.repeat(F.lit("é"), 129))
    conforming = writer.conforming(frame, declared["web_logs"].table("user_activity"), "b", 1)
    with pytest.raises(Exception, match=r"user_activity.user_id: expected at most 256 bytes, found 258"):
        conforming.collect()


def test_of_records_with_one_key_the_first_is_kept(spark: SparkSession) -> None:
    """First by manifest, then by place in the file, so that a replay keeps the same; rejected ones have no key."""
    frame = spark.createDataFrame(
        [(1, 0, "t1", None), (0, 5, "t1", None), (0, 9, "t1", None), (0, 0, "t2", None), (0, None, None, (7,))],
        "_source int, _ordinal bigint, id string, _rejected struct<position bigint>",
    )
    marked = duplicates_marked(frame, "id").where("_duplicate").select("_source", "_ordinal", "id")
    assert rows(marked) == [(0, 9, "t1"), (1, 0, "t1")]


def test_without_a_key_nothing_is_a_duplicate(spark: SparkSession) -> None:
    """Two equal requests are two requests."""
    frame = spark.createDataFrame([("u1",), ("u1",)], "user_id string")
    assert duplicates_marked(frame, None).collect() == [Row(user_id="u1", _duplicate=False)] * 2
