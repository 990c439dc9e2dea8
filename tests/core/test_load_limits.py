"""How many statements a load takes, and how wide its rows are."""

from __future__ import annotations

import pytest

from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Table
from tidemark.core.load_limits import FRAME_STATEMENTS, STATEMENTS_MAX, row_bytes, statements_needed, statements_of
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


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # id, _batch_id, _attempt, _file, _rescued; the accepted batches' dataset, batch_id, attempt
        ("facts", 12 + 68 + 4 + 2_052 + 32_772 + (36 + 68 + 4)),
        # id, n, _batch_id, _attempt; the accepted batches' columns
        ("additive", 12 + 8 + 68 + 4 + (36 + 68 + 4)),
        # id, _batch_id, _attempt, _file, _rescued, _landed_at, _ordinal; the accepted batches' columns
        ("latest", 12 + 68 + 4 + 2_052 + 32_772 + 8 + 8 + (36 + 68 + 4)),
    ],
)
def test_a_row_is_as_wide_as_all_columns_of_a_statement(kind: str, expected: int) -> None:
    """Redshift counts what the statement processes: Tidemark's own columns, and those that are joined."""
    assert row_bytes(TABLES[kind]) == expected


def test_a_long_key_of_the_latest_row_counts_twice() -> None:
    """It is joined with the keys that the batch touches, and the rows get a rank."""
    users = Table("users", "latest", (Column("id", ColumnType.parse("string(1000)")),), key="id")
    assert row_bytes(users) == 1_004 + 68 + 4 + 2_052 + 32_772 + 8 + 8 + (1_004 + 8)
