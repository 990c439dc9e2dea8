"""Segments of customers: features by hand and by SQL, planted groups found again, predictions equal to Spark's."""

from __future__ import annotations

import csv
import itertools
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.ml.clustering import KMeansModel
from pyspark.sql import Row, SparkSession

from spark_jobs.nightly import Night, clusters, segment_customers
from tidemark.adapters.dataset_files import load_file
from tidemark.core.dataset import Dataset
from tidemark.core.periods import Period
from tidemark.segmentation.model import CATEGORIES, NUMBERS, PURCHASES, UNKNOWN, Model

SUNDAY = date(2026, 11, 22)  # the last day of a week
FIELDS = (
    "household_id", "age", "income", "home_ownership", "marital_status", "household_size", "household_comp",
    "kids_count",
)  # fmt: skip
CUSTOMERS = ", ".join(f"{field} string" for field in FIELDS)
TRANSACTIONS = "user_id string, amount decimal(12,2), transaction_date date"
SINGLE = ("25-34", "25-34K", "Renter", "Unmarried", "1", "1 Adult No Kids", "0")
FAMILY = ("35-44", "75-99K", "Homeowner", "Married", "4", "2 Adults Kids", "2")
ELDERLY = ("65+", "50-74K", None, "Married", "2", "2 Adults No Kids", "0")


def bought(household: str, amount: str, days_ago: int) -> tuple[str, Decimal, date]:
    """A line item."""
    return household, Decimal(amount), SUNDAY - timedelta(days=days_ago)


def planted(seed: int = 1) -> tuple[list[tuple[str | None, ...]], list[tuple[str, Decimal, date]]]:
    """20 families who buy much and often, 20 singles who buy little, 20 elderly who stay away, in any order."""
    draw = random.Random(seed)
    customers: list[tuple[str | None, ...]] = []
    items = []
    for number in range(20):
        customers += [(f"f{number}", *FAMILY), (f"s{number}", *SINGLE), (f"e{number}", *ELDERLY)]
        items += [bought(f"f{number}", f"{draw.randint(50, 90)}.00", day) for day in range(1, 80, 4)]
        items += [bought(f"s{number}", f"{draw.randint(5, 9)}.00", day) for day in (10 + number % 3, 40)]
    draw.shuffle(customers)
    draw.shuffle(items)
    return customers, items


@dataclass(frozen=True)
class Outcome:
    """A night of the job, and what it left."""

    night: Night
    segments: dict[str, Row]  # by household
    profiles: list[Row]
    lake: Path

    @property
    def model(self) -> Model:
        place = self.lake / self.night.artifacts["model.json"].removeprefix("s3://lake/")
        return Model.loads(place.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(spark: SparkSession, jobs: dict[str, Dataset], lake: Path) -> Callable[..., Outcome]:
    """Computes the night of the week that a day lies in."""
    count = itertools.count()

    def given(customers: Sequence[Any], items: Sequence[Any], day: date = SUNDAY) -> Outcome:
        frames = {
            "customers": spark.createDataFrame(customers, CUSTOMERS),
            "transactions": spark.createDataFrame(items, TRANSACTIONS),
        }
        nightly = jobs["segment_customers"].nightly
        assert nightly
        period, output = Period.containing("week", day), f"s3://lake/segment_customers/{next(count)}/"
        night = Night(spark, frames, period, nightly.parameters, output)
        tables = segment_customers.compute(night)
        segments = {row["household_id"]: row for row in tables["customer_segments"].collect()}
        found = Outcome(night, segments, tables["segment_profiles"].orderBy("segment").collect(), lake)
        spark.catalog.clearCache()
        return found

    return given


@pytest.fixture(scope="module")
def groups(run: Callable[..., Outcome]) -> Outcome:
    """The night of the planted groups."""
    return run(*planted())


def test_purchases_of_the_window_are_counted_by_day_and_net_of_refunds(spark: SparkSession) -> None:
    """Two items of one day are one day; a refund lowers the spend and is no purchase; the 10th day back is outside."""
    items = [
        bought("a", "5.00", 3), bought("a", "2.50", 3), bought("a", "4.00", 9), bought("a", "99.00", 10),
        bought("a", "-1.00", 0), bought("b", "-7.00", 2), bought("c", "8.00", -1),
    ]  # fmt: skip
    found = clusters.purchases(spark.createDataFrame(items, TRANSACTIONS), SUNDAY, window_days=10)
    assert sorted(map(tuple, found.collect())) == [("a", 3, 2, Decimal("10.50")), ("b", None, 0, Decimal("-7.00"))]


def test_who_bought_nothing_is_kept_with_a_recency_as_long_as_the_window(spark: SparkSession) -> None:
    """All customers occur once, ordered by key; buyers who are not customers are omitted."""
    customers = spark.createDataFrame([("c", *SINGLE), ("a", *FAMILY), ("b", *ELDERLY)], CUSTOMERS)
    items = [bought("a", "5.00", 3), bought("b", "-7.00", 2), bought("stranger", "1.00", 1)]
    history = clusters.purchases(spark.createDataFrame(items, TRANSACTIONS), SUNDAY, 90)
    found = clusters.with_purchases(customers, history, 90).select("household_id", *PURCHASES)
    assert [tuple(row) for row in found.collect()] == [
        ("a", 3, 1, Decimal("5.00")),
        ("b", 90, 0, Decimal("-7.00")),
        ("c", 90, 0, Decimal("0.00")),
    ]


def test_scales_are_those_of_independent_sql(spark: SparkSession, both: Any) -> None:
    """Median, mean after imputation and deviation of 500 random customers, of whom some lack an age."""
    draw = random.Random(3)
    bands = {"19-24": 22.0, "45-54": 50.0, "65+": 70.0}
    rows = [
        {
            "age": draw.choice([*bands, None]),
            "frequency": draw.randint(0, 40),
            "monetary": Decimal(draw.randint(-900, 90_000)) / 100,
        }
        for _ in range(500)
    ]
    schema = pa.schema([("age", pa.string()), ("frequency", pa.int64()), ("monetary", pa.decimal128(18, 2))])
    frame = both("customers", rows, schema).selectExpr(
        "*", "'25-34K' AS income", "'2' AS household_size", "'1' AS kids_count", "7 AS recency",
        *(f"CAST(NULL AS string) AS {field}" for field in CATEGORIES),
    )  # fmt: skip
    found = dict(zip(NUMBERS, clusters.fit_encoding(frame.repartition(1)).scales, strict=True))
    [(age, frequency, monetary)] = both.sql(
        """WITH coded AS (SELECT CASE age WHEN '19-24' THEN 22.0 WHEN '45-54' THEN 50.0 WHEN '65+' THEN 70.0 END AS age,
                  ln(1 + frequency) AS f, ln(1 + greatest(0, monetary::double)) AS m FROM {customers}),
             filled AS (SELECT coalesce(age, (SELECT median(age) FROM coded)) AS age, f, m FROM coded)
        SELECT [(SELECT median(age) FROM coded), avg(age), stddev_pop(age)], [median(f), avg(f), stddev_pop(f)],
               [median(m), avg(m), stddev_pop(m)] FROM filled"""
    )
    for name, expected in (("age", age), ("frequency", frequency), ("monetary", monetary)):
        scale = found[name]
        assert [scale.median, scale.mean, scale.std] == pytest.approx([float(x) for x in expected], rel=1e-12), name
    assert (found["income"].std, found["recency"].mean) == (0.0, 7.0)


def test_planted_groups_are_found_and_numbered_by_what_they_spend(groups: Outcome) -> None:
    """For three groups, k is 3, every customer is in the right group, and the big spenders are segment 1."""
    assert {(household[0], row["segment"]) for household, row in groups.segments.items()} == {
        ("f", 1),
        ("s", 2),
        ("e", 3),
    }
    model = groups.model
    assert max(model.silhouettes.values()) == model.silhouettes["3"] > 0.8
    assert [one.customers for one in model.segments] == [20, 20, 20]
    assert (model.as_of, model.period["start"], model.customers) == ("2026-11-22", "2026-11-16", 60)


def test_profiles_add_up_and_say_who_is_meant(groups: Outcome) -> None:
    """Shares sum to one, spend to all spend of the window, and the sentence names the typical household."""
    inside = [amount for _, amount, day in planted()[1] if day > SUNDAY - timedelta(days=90)]
    profiles = groups.profiles
    assert [row["segment"] for row in profiles] == [1, 2, 3]
    assert sum(row["share"] for row in profiles) == pytest.approx(1)
    assert sum(row["share_of_sales"] for row in profiles) == pytest.approx(1)
    assert sum(row["spend"] for row in profiles) == sum(inside)
    assert (profiles[0]["typical_household_comp"], profiles[2]["typical_home_ownership"]) == ("2 Adults Kids", None)
    assert profiles[0]["description"].startswith("Frequent big spenders: 33 % of households, ")
    assert (profiles[2]["name"], profiles[2]["average_recency"]) == ("Households without purchases", None)


def test_the_same_customers_in_another_order_give_the_same_model(groups: Outcome, run: Any) -> None:
    """Bit for bit: the seed and the order of keys decide, not the order of files."""
    customers, items = planted()
    again = run(customers[::-1], items[::-1])
    assert again.model.dumps() == groups.model.dumps()
    assert (again.segments, again.profiles) == (groups.segments, groups.profiles)


def test_sparks_own_model_is_saved_too(groups: Outcome) -> None:
    """It loads, and its centres are those of the JSON, by the number of its cluster."""
    centres = KMeansModel.load(groups.night.artifacts["spark_model"]).clusterCenters()
    assert len(centres) == len(groups.model.segments) > 1
    for segment in groups.model.segments:
        assert segment.centre == tuple(centres[segment.cluster])


@pytest.mark.parametrize(
    "customers",
    [
        [(f"s{number}", *SINGLE) for number in range(9)],
        [(f"s{number}", *SINGLE) for number in range(40)],
        [],
    ],
    ids=["too few", "all alike", "none"],
)
def test_where_there_are_no_segments_there_are_no_rows_and_no_model(run: Any, customers: list[Any]) -> None:
    """Nine customers, forty equal ones, none at all: no failure, and nothing that claims to be a segment."""
    found = run(customers, [bought("stranger", "1.00", 1)])
    assert (found.segments, found.profiles, found.night.artifacts) == ({}, [], {})


def test_two_kinds_of_customer_make_two_segments(run: Any) -> None:
    """More clusters than different customers are not tried."""
    customers = [(f"s{number}", *SINGLE) for number in range(10)] + [(f"f{number}", *FAMILY) for number in range(10)]
    found = run(customers, [bought("stranger", "1.00", 1)])
    assert list(found.model.silhouettes) == ["2"]


def test_the_engine_writes_tables_and_reports_the_model(
    nights: Any, jobs: dict[str, Dataset], root: Path, lake: Path
) -> None:
    """As EMR runs it: pinned files in, both tables and both models in result.json."""
    customers, items = planted()
    known = pa.table({field: [row[place] for row in customers] for place, field in enumerate(FIELDS)})
    sold = pa.table(
        {
            "transaction_id": [str(number) for number in range(len(items))],
            "user_id": [item[0] for item in items],
            "amount": pa.array([item[1] for item in items], pa.decimal128(12, 2)),
            "transaction_date": [item[2] for item in items],
        }
    )
    tables = {name: load_file(root / "datasets" / f"{name}.yaml").table(name) for name in ("customers", "transactions")}
    window = (SUNDAY - timedelta(days=89), SUNDAY + timedelta(days=1))
    inputs = (
        nights.pinned(tables["customers"], [nights.put(known)]),
        nights.pinned(tables["transactions"], [nights.put(sold)], window),
    )
    assert nights.run(jobs["segment_customers"], SUNDAY, *inputs) == 0
    assert {name: table["rows"] for name, table in nights.result["tables"].items()} == {
        "customer_segments": 60,
        "segment_profiles": 3,
    }
    assert nights.result["tables"]["segment_profiles"]["days"] == ["2026-11-22"]
    assert set(nights.result["artifacts"]) == {"model.json", "spark_model"}
    saved = lake / nights.result["artifacts"]["model.json"].removeprefix("s3://lake/")
    assert json.loads(saved.read_text(encoding="utf-8"))["k"] == 3


# ---- real customers


@pytest.fixture(scope="module")
def real(shared: Path) -> tuple[list[tuple[str | None, ...]], list[tuple[str, Decimal, date]]]:
    """478 households and 15,000 line items of a grocer."""
    people = shared / "data" / "cust_completejourney" / "dev" / "demographics_dev.csv"
    sales = shared / "data" / "tx_completejourney" / "dev" / "transactions_2017H1_15000.csv"
    if not people.is_file() or not sales.is_file():
        pytest.skip(f"no reference data at {people} and {sales}")
    with people.open(newline="", encoding="utf-8") as file:
        customers = [tuple(row[field] or None for field in FIELDS) for row in csv.DictReader(file)]
    with sales.open(newline="", encoding="utf-8") as file:
        items = [
            (row["household_id"], Decimal(row["sales_value"]), day_of(row["transaction_timestamp"]))
            for row in csv.DictReader(file)
        ]
    return customers, items


def day_of(epoch_seconds: str) -> date:
    """The day in UTC."""
    return datetime.fromtimestamp(int(epoch_seconds), UTC).date()


def test_every_real_household_gets_from_the_json_what_spark_gave_it(
    spark: SparkSession, run: Any, real: tuple[list[Any], list[Any]]
) -> None:
    """478 segments are equal, and the distances to nine digits; one household in three has a field missing."""
    customers, items = real
    day = date(2017, 6, 25)
    found = run(customers, items, day)
    model = found.model
    history = clusters.purchases(spark.createDataFrame(items, TRANSACTIONS), day, 90)
    told = clusters.with_purchases(spark.createDataFrame(customers, CUSTOMERS), history, 90).collect()
    assert len(told) == len(found.segments) == 478
    assert sum(row["home_ownership"] is None for row in told) == 152
    for row in told:
        customer = {**row.asDict(), "monetary": float(row["monetary"])}
        assert model.problems(customer) == []
        predicted, trained = model.predict(customer), found.segments[row["household_id"]]
        assert predicted.segment == trained["segment"]
        assert math.isclose(predicted.distance, trained["distance"], rel_tol=1e-9)
    assert model.silhouettes[str(model.k)] == max(model.silhouettes.values()) > 0.3
    assert all(UNKNOWN in model.encoding.categories[field] for field in CATEGORIES)
