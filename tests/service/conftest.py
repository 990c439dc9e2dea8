"""Two worlds, made anew for each test: of the nightly jobs over moto, and one in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.service.lost import Shop
from tests.service.nights import SETTINGS, Hints, NightWorld, Now, Runs
from tests.simulation.invariants import Invariants
from tests.simulation.quiet import quiet
from tests.simulation.race import Hand, Raced
from tidemark.core.job_code import CODE, ENTRY

INDEXES = {"open": ("open", "due_at"), "history": ("dataset", "created_at")}


@pytest.fixture
def world(endpoint: str) -> Iterator[NightWorld]:
    """Empty: buckets, the ledger's table, a database for the lake."""
    clients = {name: boto3.client(name, endpoint_url=endpoint) for name in ("dynamodb", "s3", "glue")}  # type: ignore[call-overload]
    for bucket in ("control", "lake"):
        clients["s3"].create_bucket(Bucket=bucket)
    clients["s3"].put_object(Bucket="control", Key=f"{CODE}{ENTRY}")
    clients["glue"].create_database(DatabaseInput={"Name": "tide"})
    _make_ledger(clients["dynamodb"])
    yield NightWorld(SETTINGS, Now(), {**clients, "emr-serverless": Runs(), "events": Hints()}, endpoint)
    for table in clients["glue"].get_tables(DatabaseName="tide")["TableList"]:
        clients["glue"].delete_table(DatabaseName="tide", Name=table["Name"])
    clients["glue"].delete_database(Name="tide")
    clients["dynamodb"].delete_table(TableName=SETTINGS.ledger_table)
    for bucket in ("control", "lake"):
        for found in clients["s3"].list_objects_v2(Bucket=bucket).get("Contents", ()):
            clients["s3"].delete_object(Bucket=bucket, Key=found["Key"])


@pytest.fixture
def hand() -> Iterator[Hand]:
    """What moves a world in memory on: empty, without faults."""
    simulation = Raced()
    with quiet(simulation):
        yield Hand(simulation, Invariants(simulation))


@pytest.fixture
def shop() -> Shop:
    """An empty ledger, and what the test leaves outside of it."""
    return Shop()


def _make_ledger(dynamodb: Any) -> None:
    def keys(hashed: str, ranged: str) -> list[dict[str, str]]:
        return [{"AttributeName": hashed, "KeyType": "HASH"}, {"AttributeName": ranged, "KeyType": "RANGE"}]

    names = ("pk", "sk", "open", "due_at", "dataset", "created_at")
    dynamodb.create_table(
        TableName=SETTINGS.ledger_table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=keys("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": name, "KeySchema": keys(*pair), "Projection": {"ProjectionType": "ALL"}}
            for name, pair in INDEXES.items()
        ],
    )
