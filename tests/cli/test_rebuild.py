"""What `tidemark warehouse rebuild` prints; tests/service/test_rebuild.py has a warehouse."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

import cli.rebuild as command
from cli.rebuild import rebuild_warehouse
from tests.cli.outcomes import checked, printed
from tidemark.adapters.redshift import Connection, Warehouse
from tidemark.adapters.world import World
from tidemark.core.dataset import Table
from tidemark.core.errors import TidemarkError
from tidemark.core.rebuilding import StoredFile
from tidemark.service.rebuild import Lost

SALES, USERS = Lost("shop", Table("sales", "facts", ()), ("sales",)), Lost("shop", Table("users", "facts", ()), ())
FILES = [StoredFile("s3://lake/a", 10, 2_000, ()), StoredFile("s3://lake/b", 10, 1, ())]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that are made anew; the warehouse lacks `sales`, and has `users`."""
    done: list[str] = []

    def rebuilt(_: Any, __: Any, lost: Lost) -> int:
        done.append(lost.table.name)
        return 2_001

    warehouse = SimpleNamespace(connection=Connection("warehouse", "tide"))
    world = SimpleNamespace(warehouse=warehouse, datasets={"shop": None})
    doubles: dict[str, Any] = {
        "connect": lambda _: world,
        "sealed": lambda given: given,
        "as_administrator": lambda *_: None,
        "warehouse_loader": lambda _: "IAMR:loader",
        "look": lambda *_: [SALES, USERS],
        "stored": lambda *_: FILES,
        "rebuild": rebuilt,
    }
    for name, double in doubles.items():
        monkeypatch.setattr(command, name, double)
    monkeypatch.setattr(command.aws, "client", lambda _: None)
    return done


def rebuilding(dataset: str, sure: bool) -> Callable[[Console], object]:
    return lambda console: rebuild_warehouse("tidemark", console, dataset, "", sure)


def test_without_yes_it_is_only_shown(done: list[str]) -> None:
    """What is missing, and what the lake has of it."""
    expected = ("sales", "2,001", "nothing was done; with --yes 1 table would be filled from the lake")
    checked(rebuilding("all", False), *expected)
    assert done == []


def test_only_what_is_missing_is_made(done: list[str]) -> None:
    """Unless a dataset is named: then all of its tables are, whatever they have."""
    assert "sales: 2,001 rows of the lake are in the warehouse" in printed(rebuilding("all", True))
    assert done == ["sales"]
    printed(rebuilding("shop", True))
    assert done == ["sales", "sales", "users"]


def test_nothing_missing_is_said(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read of the lake then."""
    monkeypatch.setattr(command, "look", lambda *_: [USERS])
    assert "nothing is missing" in printed(rebuilding("all", True))
    assert done == []


def world_of(connection: Connection) -> World:
    return cast(World, SimpleNamespace(warehouse=Warehouse(None, connection, "tidemark")))


@pytest.fixture
def serverless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redshift Serverless, with a namespace that manages its password."""
    found = SimpleNamespace(
        get_workgroup=lambda workgroupName: {"workgroup": {"namespaceName": workgroupName}},  # noqa: N803
        get_namespace=lambda namespaceName: {"namespace": {"adminPasswordSecretArn": "the namespace's"}},  # noqa: N803
    )
    monkeypatch.setattr(command.aws, "client", lambda _: found)
    monkeypatch.setattr(command, "warehouse_loader", lambda _: "IAMR:loader")


EXISTING = Connection("warehouse", "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/1")


@pytest.mark.parametrize(
    ("connection", "secret", "user", "loader"),
    [
        (Connection("warehouse", "tide"), "", "the namespace's", "IAMR:loader"),
        (EXISTING, "arn:admin", "arn:admin", "IAMR:loader"),
        (Connection("warehouse", cluster="dwh", secret_arn="arn:loader"), "", "arn:loader", ""),
    ],
)
def test_the_loader_owns_what_is_made(
    connection: Connection, secret: str, user: str, loader: str, serverless: None
) -> None:
    """An administrator acts as the loader; a loader whose secret is known needs none."""
    rebuilder = command._rebuilder("tidemark", world_of(connection), secret)
    assert (rebuilder.warehouse.target["SecretArn"], rebuilder.loader) == (user, loader)


def test_an_existing_warehouse_needs_its_administrators_secret(serverless: None) -> None:
    """The stack knows no other."""
    with pytest.raises(TidemarkError, match="expected --secret with its administrator's secret"):
        command._rebuilder("tidemark", world_of(EXISTING), "")
