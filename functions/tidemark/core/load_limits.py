"""The statements that a load may have, and how many of them each table takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tidemark.core.dataset import Table

STATEMENTS_MAX = 40  # per BatchExecuteStatement (docs/aws-facts.md#redshift-data-api)
FRAME_STATEMENTS = 5  # of a load, whatever its tables
TABLE_STATEMENTS = 4  # of a table, at most
LATEST_STATEMENTS = 7  # of a table of kind latest, at most


def statements_of(table: Table) -> int:
    """The most statements that a load takes for this table."""
    return LATEST_STATEMENTS if table.kind == "latest" else TABLE_STATEMENTS


def statements_needed(tables: Iterable[Table]) -> int:
    """The most statements that a load of these tables takes; a load with more than STATEMENTS_MAX cannot be sent."""
    return FRAME_STATEMENTS + sum(map(statements_of, tables))
