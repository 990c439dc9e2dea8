"""The SQL that fills a warehouse table from the lake."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Table
from tidemark.core.errors import TidemarkError
from tidemark.core.rebuilding import StoredFile, missing_relations, rebuild_statements, stages
from tidemark.core.warehouse_ddl import history_of, shard_of

COLUMNS = tuple(Column(name, ColumnType("bigint")) for name in ("a", "b"))
SALES = Table("sales", "facts", COLUMNS)
SPENT = Table("spent", "additive", COLUMNS, sums=("b",))
USERS = Table("users", "latest", COLUMNS, key="a")
OWN = ("_batch_id", "_attempt")


def file(number: int, *columns: str, rows: int = 1) -> StoredFile:
    return StoredFile(f"s3://lake/{number}.parquet", 10, rows, (*columns, *OWN))


def statements(table: Table, *files: StoredFile) -> list[str]:
    staged = [replace(stage, manifest=f"s3://control/{stage.number}.manifest") for stage in stages(table, files)]
    return rebuild_statements("rebuild.1", "shop", table, staged, "arn:role")


@pytest.mark.parametrize(
    ("table", "existing", "expected"),
    [
        (SALES, ["sales", "other"], []),
        (SALES, [], ["sales"]),
        (SPENT, ["spent_by_batch"], ["spent"]),
        (SPENT, ["spent"], ["spent_by_batch"]),
        (USERS, [], ["users_by_batch", "users"]),
    ],
)
def test_a_table_is_all_that_loads_and_readers_use(table: Table, existing: list[str], expected: list[str]) -> None:
    """An additive table has a view, and one of kind latest is two tables."""
    assert missing_relations(table, existing) == expected


def test_files_of_one_column_order_share_a_stage() -> None:
    """COPY maps by position; a file without rows is not copied."""
    found = stages(SALES, [file(1, "a", "b"), file(2, "b", "a"), file(3, "a", "b"), file(4, "a", rows=0)])
    assert [[one.uri[-9:-8] for one in stage.files] for stage in found] == [["1", "3"], ["2"]]
    assert [column.name for column in found[1].columns] == ["b", "a", *OWN]


def test_a_column_that_is_no_longer_declared_is_refused() -> None:
    """The warehouse's table has no place for it."""
    with pytest.raises(TidemarkError, match="sales: the lake has a column 'gone', which is not declared"):
        stages(SALES, [file(1, "a", "gone")])


def test_the_transaction_begins_as_a_load_does() -> None:
    """It locks the shard's history, so no load of these tables runs at the same time."""
    sqls = statements(SALES, file(1, "a", "b"))
    assert sqls[0] == f"LOCK {history_of(shard_of('shop'))}"
    assert [sql.split(" (")[0] for sql in sqls if sql.startswith(('CREATE TEMP TABLE "_stage', "COPY"))] == [
        'CREATE TEMP TABLE "_stage_0"',
        "COPY \"_stage_0\" FROM 's3://control/0.manifest' IAM_ROLE 'arn:role' FORMAT AS PARQUET MANIFEST",
    ]


def test_a_newer_attempt_of_this_table_is_left_alone() -> None:
    """It was loaded since the files were listed."""
    accept = next(sql for sql in statements(SALES, file(1, "a", "b")) if "_accepted AS SELECT" in sql)
    assert "WHERE h.table_name = 'sales'" in accept
    assert 'h.attempt > _s."_attempt"' in accept


def test_latest_rows_are_chosen_anew_of_all_that_are_stored() -> None:
    """A null key is not shown."""
    sqls = statements(USERS, file(1, "a", "b"))
    assert 'DELETE FROM "users"' in sqls
    assert sum('INSERT INTO "users" ' in sql and '_t."a" IS NOT NULL' in sql for sql in sqls) == 1
    assert not any('"users" ' in sql for sql in statements(SALES, file(1, "a", "b")))


def test_too_many_column_orders_are_refused() -> None:
    """A transaction has at most forty statements; compaction leaves one column order."""
    names = [f"c{number}" for number in range(12)]
    wide = replace(SALES, columns=tuple(Column(name, ColumnType("bigint")) for name in names))
    files = [file(number, *names[: number + 1]) for number in range(12)]
    with pytest.raises(TidemarkError, match="sales: its files have 12 column orders: compact the lake's table first"):
        statements(wide, *files)
