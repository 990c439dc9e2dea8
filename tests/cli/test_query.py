"""Rows of the warehouse, printed as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from cli.query import run_query
from cli.text import visible
from tests.cli.nasty import NASTY
from tests.cli.outcomes import checked
from tests.service.nights import NightWorld


@dataclass
class Statements:
    """The Data API with one finished statement."""

    columns: tuple[str, ...]
    row: tuple[str | None, ...]

    def execute_statement(self, **_: Any) -> dict[str, str]:
        """Accepts it."""
        return {"Id": "s1"}

    def describe_statement(self, **_: Any) -> dict[str, Any]:
        """Says that it is finished."""
        return {"Status": "FINISHED", "HasResultSet": True}

    def get_statement_result(self, **_: Any) -> dict[str, Any]:
        """Returns its only page."""
        fields = [{"isNull": True} if value is None else {"stringValue": value} for value in self.row]
        return {"ColumnMetadata": [{"name": one, "typeName": "varchar"} for one in self.columns], "Records": [fields]}


@pytest.mark.parametrize("text", NASTY)
def test_rows_and_titles_of_a_query_are_printed_as_text(world: NightWorld, text: str) -> None:
    """Values and titles are printed as text, and null as a dash."""
    asked = replace(world, clients={**world.clients, "redshift-data": Statements((text, "n"), (text, None))})
    checked(lambda console: run_query(asked, console, "SELECT 1"), visible(text).strip(), "–")
