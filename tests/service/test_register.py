"""Which tables are registered, with a lake that answers by a script; test_retained_lake.py has a real one."""

from __future__ import annotations

from typing import Any

import pytest

from tidemark.core.errors import TidemarkError
from tidemark.service.register import RetainedTable, look, register


class Retained:
    """A bucket with three tables, of which Glue has `known`."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.made: list[tuple[str, str]] = []

    def tables(self) -> list[str]:
        return ["empty", "sales", "users"]

    def metadata_keys(self, table: str) -> list[str]:
        return (
            [] if table == "empty" else [f"tables/{table}/metadata/0000{number}-a.metadata.json" for number in (1, 2)]
        )

    def identity(self, key: str) -> str:
        return f"id of {key.split('/')[1]}"

    def registered(self, table: str) -> str:
        return self.known.get(table, "")

    def register(self, table: str, key: str) -> None:
        self.made.append((table, key))


def newest(table: str) -> str:
    return f"tables/{table}/metadata/00002-a.metadata.json"


def test_only_what_glue_lacks_is_registered() -> None:
    """With its newest metadata; a folder without any is no table."""
    retained: Any = Retained(sales="id of sales")
    assert look(retained) == [
        RetainedTable("sales", newest("sales"), True),
        RetainedTable("users", newest("users"), False),
    ]
    assert register(retained) == [RetainedTable("users", newest("users"), False)]
    assert retained.made == [("users", newest("users"))]


def test_one_table_with_other_data_stops_all() -> None:
    """Half a lake would be worse than none: nothing is registered."""
    retained: Any = Retained(users="id of another")
    with pytest.raises(TidemarkError, match="users: Glue has another table of this name, with other data: nothing was"):
        register(retained)
    assert retained.made == []
