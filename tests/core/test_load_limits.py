"""How many statements a load takes."""

from __future__ import annotations

import pytest

from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Table
from tidemark.core.load_limits import FRAME_STATEMENTS, STATEMENTS_MAX, statements_needed, statements_of
from tidemark.core.warehouse_sql import LoadBatch, LoadTable, load_statements

ID = (Column("id", ColumnType.parse("string(8)")),)
TABLES = {
    "facts": Table("events", "facts", ID),
    "additive": Table("totals", "additive", (*ID, Column("n", ColumnType.parse("bigint"))), sums=("n",)),
    "latest": Table("users", "latest", ID, key="id"),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("count", [1, 5])
def test_a_load_has_as_many_statements_as_are_reckoned_with(kind: str, count: int) -> None:
    """The frame's, and those of each table: the limit is neither passed nor given away."""
    tables = [LoadTable("web", TABLES[kind], "s3://control/x.manifest")] * count
    statements = load_statements("load.1", [LoadBatch("web", "web.t.1", 1)], tables, "arn:role")
    assert len(statements) == statements_needed([TABLES[kind]] * count)


def test_the_largest_loads_are_within_the_limit() -> None:
    """Redshift takes forty statements: five tables of the latest row, or eight others."""
    latest, facts = TABLES["latest"], TABLES["facts"]
    assert (statements_of(latest), statements_of(facts)) == (7, 4)
    assert statements_needed([latest] * 5) == FRAME_STATEMENTS + 35 == STATEMENTS_MAX
    assert statements_needed([facts] * 8) <= STATEMENTS_MAX < statements_needed([facts] * 9)
