"""Values that several tests of the core start from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset


@pytest.fixture
def noon() -> datetime:
    """The moment at which the core's tests take place."""
    return datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def declaration() -> dict[str, Any]:
    """A small declaration with a table of each kind."""
    return {
        "name": "web_logs",
        "prefix": "web_logs/",
        "record": {"user_id": {"type": "string(256)", "required": True}, "bytes_sent": "bigint"},
        "tables": {
            "web_events": {"columns": {"user_id": "string(256)", "event_date": "date"}, "partition": "event_date"},
            "user_activity": {
                "kind": "additive",
                "columns": {"user_id": "string(256)", "events": "bigint", "spent": "decimal(12,2)"},
                "sums": ["events", "spent"],
            },
        },
    }


@pytest.fixture
def dataset(declaration: dict[str, Any]) -> Dataset:
    """The small declaration, parsed."""
    return parse_dataset(declaration)
