"""The product's own world at a laptop cloud."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from local.world import laptop_world
from tests.conftest import ROOT
from tidemark.settings import Settings


@pytest.fixture
def cloud(endpoint: str) -> Any:
    """An endpoint, and the settings of a stack."""
    settings = {entry.name.upper(): entry.name for entry in fields(Settings)} | {
        "SPARK_CPU": "22 vCPU", "SPARK_MEMORY": "1000 GB", "SPARK_DISK": "1000 GB", "RECONCILE_HOURS": "24",
    }  # fmt: skip
    return SimpleNamespace(settings=settings, url=endpoint, client=lambda service: f"the cloud's {service}")


def test_every_client_is_the_clouds(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever address the environment names."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    world = laptop_world(cloud)
    assert (world.client("s3"), world.store.client, world.ledger.table.client) == (
        "the cloud's s3", "the cloud's s3", "the cloud's dynamodb",
    )  # fmt: skip
    assert (world.settings.ledger_table, world.settings.runs_at_once) == ("ledger_table", 11)


def test_the_lake_is_the_clouds_too(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its catalog answers though nothing listens at the address in the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    lake = laptop_world(cloud).lake
    lake.catalog.create_namespace("of_the_laptop")
    assert ("of_the_laptop",) in lake.catalog.list_namespaces()


def test_the_declarations_are_the_repositorys(cloud: Any) -> None:
    """The laptop runs what is deployed."""
    names = {path.stem for path in (ROOT / "datasets").rglob("*.yaml")}
    assert names
    assert set(laptop_world(cloud).datasets) == names
