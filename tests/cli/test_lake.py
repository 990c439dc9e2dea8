"""What `tidemark lake register` prints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import tidemark.service.register as service
from cli.lake import register_lake
from tests.cli.outcomes import printed
from tidemark.service.register import RetainedTable

SALES = RetainedTable("sales", "tables/sales/metadata/00002-a.metadata.json", True)


def test_each_registered_table_is_named_with_its_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """And how many tables Glue has of the bucket in the end."""
    monkeypatch.setattr(service, "register", lambda _: [SALES])
    monkeypatch.setattr(service, "look", lambda _: [SALES, SALES])
    settings = SimpleNamespace(lake_bucket="lake")
    world: Any = SimpleNamespace(lake=None, client=lambda _: None, settings=settings)
    shown = printed(lambda console: register_lake(world, console))
    assert "sales is registered: tables/sales/metadata/00002-a.metadata.json\n" in shown
    assert shown.endswith("Glue has 2 tables of s3://lake/\n")
