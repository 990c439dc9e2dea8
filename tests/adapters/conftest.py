"""moto's DynamoDB and S3 in this process; for the lake, moto's S3 and Glue behind the laptop cloud's port."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pyiceberg.catalog import load_catalog

from tidemark.adapters.iceberg import Lake, glue_properties
from tidemark.adapters.ledger import Ledger
from tidemark.adapters.s3_documents import Store
from tidemark.core.files import FileVersion


@pytest.fixture
def noon() -> datetime:
    """The moment at which the adapters' tests take place."""
    return datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account, whatever server other tests of this process speak to."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws: None) -> Any:
    """A client of an account that has the ledger's table, with the keys and indexes of template.yaml."""
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("pk", "sk", "open", "due_at", "dataset", "created_at")
        ],
        KeySchema=keys("pk", "sk"),
        GlobalSecondaryIndexes=[index("open", "open", "due_at"), index("history", "dataset", "created_at")],
    )
    return client


@pytest.fixture
def ledger(dynamodb: Any) -> Ledger:
    """An empty ledger."""
    return Ledger(dynamodb, "ledger")


@pytest.fixture
def store(aws: None) -> Store:
    """A store with the bucket `control`, empty."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="control")
    return Store(client)


@pytest.fixture
def file() -> FileVersion:
    """A file that has landed."""
    return FileVersion("raw", "web/a b.json", "v1", 5, "2026-03-01T11:59:00Z", "0A")


@pytest.fixture
def s3(endpoint: str) -> Iterator[Any]:
    """A bucket for the lake, and a database in Glue."""
    client = boto3.client("s3", endpoint_url=endpoint)
    glue = boto3.client("glue", endpoint_url=endpoint)
    client.create_bucket(Bucket="lake")
    glue.create_database(DatabaseInput={"Name": "tide"})
    yield client
    for table in glue.get_tables(DatabaseName="tide")["TableList"]:
        glue.delete_table(DatabaseName="tide", Name=table["Name"])
    glue.delete_database(Name="tide")


@pytest.fixture
def lake(endpoint: str, s3: Any) -> Lake:
    """The lake as publish sees it."""
    return a_lake(endpoint)


def a_lake(endpoint: str) -> Lake:
    return Lake(load_catalog("glue", **glue_properties("us-east-1", endpoint)), "tide", "lake")


def keys(hashed: str, ranged: str) -> list[dict[str, str]]:
    return [{"AttributeName": hashed, "KeyType": "HASH"}, {"AttributeName": ranged, "KeyType": "RANGE"}]


def index(name: str, hashed: str, ranged: str) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": keys(hashed, ranged), "Projection": {"ProjectionType": "ALL"}}
