"""What a service function may touch."""

from __future__ import annotations

import threading
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from tidemark.adapters import aws
from tidemark.adapters.redshift import Connection
from tidemark.adapters.world import World
from tidemark.settings import Settings


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The services for which a client was made."""
    asked: list[str] = []
    monkeypatch.setattr(aws, "client", lambda service: asked.append(service) or service)
    return asked


@pytest.fixture
def world() -> World:
    """Each setting is its own name in lower case."""
    names = {entry.name: entry.name for entry in fields(Settings)} | {"reconcile_hours": 1}
    values: Any = names
    return World(Settings(**values), Noon())


def test_adapters_are_made_when_they_are_asked_for_and_kept(asked: list[str], world: World) -> None:
    """A function that needs no warehouse opens no connection to one."""
    assert asked == []
    assert world.ledger is world.ledger
    assert asked == ["dynamodb"]
    assert [world.store.client, world.engine.client, world.warehouse.client, world.events] == [
        "s3", "emr-serverless", "redshift-data", "events",
    ]  # fmt: skip


def test_adapters_get_their_settings(asked: list[str], world: World) -> None:
    """Table, application, role and workgroup."""
    assert world.ledger.table.name == "ledger_table"
    assert (world.engine.application_id, world.engine.role_arn) == ("spark_application_id", "job_role_arn")
    assert world.warehouse.connection == Connection(
        "warehouse_database", "warehouse_workgroup", "warehouse_cluster", "warehouse_user", "warehouse_secret_arn"
    )
    assert world.warehouse.stack == "stack"


def test_the_declarations_are_those_beside_the_package(world: World) -> None:
    """Files and nightly jobs by their names."""
    assert {"web_logs", "transactions", "daily_sales"} <= set(world.datasets)
    assert {name for name, dataset in world.datasets.items() if dataset.name != name} == set()


def test_map_keeps_the_order_and_does_several_at_once(world: World) -> None:
    """Three that wait for each other come through with three at once."""
    barrier = threading.Barrier(3, timeout=10)

    def double(number: int) -> int:
        barrier.wait()
        return 2 * number

    assert world.map(double, [1, 2, 3], at_once=3) == [2, 4, 6]


def test_an_error_in_map_is_raised(world: World) -> None:
    """None is lost in a thread."""
    with pytest.raises(ZeroDivisionError):
        world.map(lambda number: 1 / number, [1, 0], at_once=2)
