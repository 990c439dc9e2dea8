"""How many statements one load may have, and how many each table takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tidemark.core.dataset import Table

STATEMENTS_MAX = 40  # per BatchExecuteStatement (docs/aws-facts.md#redshift-data-api)


FRAME_STATEMENTS = 5


def statements_of(table: Table) -> int:
    """How many statements of a load bring in a table, at most."""
    return 7 if table.kind == "latest" else 4


def statements_needed(tables: Iterable[Table]) -> int:
    """How many statements a load of these tables has, at most; more than STATEMENTS_MAX do not go."""
    return FRAME_STATEMENTS + sum(map(statements_of, tables))
