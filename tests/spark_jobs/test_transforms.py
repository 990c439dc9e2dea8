"""The transforms on a handful of rows, the contract of their tables, and what a batch keeps once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from spark_jobs.engine import writer
from spark_jobs.engine.seen_keys import duplicates_marked
from spark_jobs.transforms import content, customers, transactions, web_logs
from tidemark.core.dataset import Dataset
from tidemark.core.errors import DeclarationError

pytestmark = [
    pytest.mark.spark,
    # Sockets of py4j that end with the garbage.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
LATE = datetime(2026, 7, 1, 23, 59, 59, 999999, tzinfo=UTC)
NEXT = datetime(2026, 7, 2, tzinfo=UTC)
DAY, NEXT_DAY = date(2026, 7, 1), date(2026, 7, 2)


def records(spark: SparkSession, dataset: Dataset, *rows: tuple[Any, ...]) -> DataFrame:
    """What a transform is given: the declared fields and `_file`."""
    schema = ", ".join(f"`{field.name}` {field.type.spark}" for field in dataset.record)
    return spark.createDataFrame([(*row, "s3://raw/a") for row in rows], f"{schema}, _file string")


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, frame.collect()), key=str)


def schema(frame: DataFrame) -> list[tuple[str, str]]:
    return [(field.name, field.dataType.simpleString()) for field in frame.schema]


@pytest.fixture
def requests(spark: SparkSession, declared: dict[str, Dataset]) -> dict[str, DataFrame]:
    return web_logs.transform(
        records(
            spark,
            declared["web_logs"],
            (NOON, "u1", "page_view", 200, "GET", "/", 512, None, "curl"),
            (LATE, "u1", "page_view", 404, "GET", "/x", None, "/", "curl"),
            (NEXT, "u1", "asset", 404, "GET", "/x", 0, "/", "curl"),
            (NOON, "u2", "asset", 500, "GET", "/x", 0, None, None),
            (LATE, "u2", "asset", 399, "GET", "/y", 0, None, None),
        )
    )


def test_web_events_are_the_records_with_their_day(requests: dict[str, DataFrame]) -> None:
    """Days are UTC days, regardless of the machine's time zone."""
    events = requests["web_events"]
    assert [name for name, _ in schema(events)][:2] == ["event_time", "user_id"]
    assert schema(events)[-2:] == [("event_date", "date"), ("_file", "string")]
    days = events.select(F.date_format("event_time", "HH:mm"), "event_date", "_file")
    assert rows(days)[0] == ("00:00", NEXT_DAY, "s3://raw/a")
    assert rows(days)[-1] == ("23:59", DAY, "s3://raw/a")


def test_user_activity_counts_requests_by_user_and_day(requests: dict[str, DataFrame]) -> None:
    """It adds up over batches."""
    assert rows(requests["user_activity"]) == [("u1", DAY, 2), ("u1", NEXT_DAY, 1), ("u2", DAY, 2)]


def test_error_patterns_count_requests_from_status_400_on(requests: dict[str, DataFrame]) -> None:
    """By status, path and day; 399 is no error."""
    assert rows(requests["error_patterns"]) == [(404, "/x", DAY, 1), (404, "/x", NEXT_DAY, 1), (500, "/x", DAY, 1)]


def test_daily_totals_add_cents_exactly(spark: SparkSession, declared: dict[str, Dataset]) -> None:
    """As doubles, ten times 0.10 would not be 1.00."""
    line = (Decimal("0.10"), 1, "s", "p", Decimal(0))
    sales = records(spark, declared["transactions"], *((f"t{n}", "u1", NOON, *line) for n in range(10)))
    tables = transactions.transform(sales)
    assert rows(tables["daily_user_totals"]) == [("u1", DAY, Decimal("1.00"), 10)]
    assert rows(tables["transactions"])[0][:2] == ("t0", "u1")


def test_content_performance_counts_views_and_clicks(spark: SparkSession, declared: dict[str, Dataset]) -> None:
    """By content, site, device and day; where site or device is not known, the row says so and still joins."""
    shown = (NOON, "u1", "c1", 1, "s", "web")
    tables = content.transform(
        records(
            spark,
            declared["content"],
            ("e1", "view", *shown),
            ("e2", "click", *shown),
            ("e3", "view", LATE, None, "c1", None, "s", "web"),
            ("e4", "view", NEXT, "u1", "c1", 1, "s", "web"),
            ("e5", "click", NOON, "u2", "c2", 1, None, None),
        )
    )
    assert rows(tables["content_performance"]) == [
        ("c1", "s", "web", DAY, 2, 1),
        ("c1", "s", "web", NEXT_DAY, 1, 0),
        ("c2", "unknown", "unknown", DAY, 0, 1),
    ]
    kept = tables["content_events"].select("event_id", "site", "event_date", "_file")
    assert rows(kept)[3:] == [("e4", "s", NEXT_DAY, "s3://raw/a"), ("e5", None, DAY, "s3://raw/a")]


def test_customers_are_every_row_of_every_export(spark: SparkSession, declared: dict[str, Dataset]) -> None:
    """Two rows of one household are both kept: which is the latest, other batches may have a say in."""
    bands = ("50-74K", None, "Married", "5+", "2 Adults Kids", "3+")
    exported = records(spark, declared["customers"], ("h1", "35-44", *bands), ("h1", "45-54", *bands))
    assert rows(customers.transform(exported)["customers"].select("household_id", "age", "home_ownership")) == [
        ("h1", "35-44", None),
        ("h1", "45-54", None),
    ]


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
            "expected user_id, event_date, events, found an extra column `x`",
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
