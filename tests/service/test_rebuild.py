"""Lost warehouse tables come back from the lake, exactly once beside the loads under way; DuckDB executes the SQL."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local.redshift.data_api import RedshiftDataApp
from local.redshift.serverless import serverless_app
from tests.local.stand_ins import Events, client, served
from tests.service.nights import NightWorld, advance
from tidemark.adapters.iceberg import iceberg_schema
from tidemark.core.dataset import Dataset, Table
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import TidemarkError
from tidemark.core.files import split_uri
from tidemark.core.lifecycle import Batch, Counts, State
from tidemark.core.naming import attempt_prefix
from tidemark.core.rebuilding import StoredFile
from tidemark.service.grant import as_administrator, grant
from tidemark.service.load import load
from tidemark.service.rebuild import Rebuilder, look, rebuild
from tidemark.service.settle import settle

LOADER = "IAMR:SubmitRole"  # the role as which the tests' clients sign
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRST, SECOND = (f"shop.20261120T0{hour}0000.aaaaaaaa" for hour in (8, 9))
DECLARED: dict[str, Any] = {
    "name": "shop",
    "prefix": "shop/",
    "record": {"user": "string(8)", "amount": "bigint"},
    "tables": {
        "sales": {"columns": {"user": "string(8)", "amount": "bigint"}},
        "spent": {"kind": "additive", "columns": {"user": "string(8)", "amount": "bigint"}, "sums": ["amount"]},
        "users": {"kind": "latest", "columns": {"user": "string(8)", "amount": "bigint"}, "key": "user"},
    },
}
Rows = Sequence[tuple[str, int]]  # user, amount


@dataclass(frozen=True)
class Shop(NightWorld):
    """A world with a warehouse, and one dataset with a table of each kind."""

    declared: Mapping[str, Any]

    @property
    def datasets(self) -> dict[str, Dataset]:  # type: ignore[override]
        """The shop."""
        return {"shop": parse_dataset(dict(self.declared))}

    def table(self, name: str) -> Table:
        """One of its tables."""
        return next(table for table in self.datasets["shop"].tables if table.name == name)


@pytest.fixture
def warehouse(world: NightWorld, tmp_path: Path) -> Iterator[RedshiftDataApp]:
    """The laptop's Redshift, which copies from the world's bucket."""
    app = RedshiftDataApp(Events(), tmp_path / "warehouse.duckdb", s3=lambda *_: world.client("s3"))
    yield app
    app.close()


@pytest.fixture
def shop(world: NightWorld, warehouse: RedshiftDataApp) -> Iterator[Shop]:
    """The dataset, with a batch of two users and one of a third, loaded by a loader that was granted its rights."""
    with served(warehouse) as url, served(serverless_app()) as serverless:
        clients = {
            **world.clients,
            "redshift-data": client("redshift-data", url),
            "redshift-serverless": client("redshift-serverless", serverless),
        }
        shop = Shop(world.settings, world.clock, clients, world.endpoint, DECLARED)
        warehouse.warehouse.grants.connect(LOADER)
        grant(shop.warehouse, shop.client("redshift-serverless"), LOADER)
        loaded(shop, FIRST, 1, [("ann", 1), ("bob", 2)])
        loaded(shop, SECOND, 1, [("cid", 3), ("ann", 4)])
        yield shop


def published(shop: Shop, batch_id: str, attempt: int, rows: Rows) -> Batch:
    """An attempt's files go into the lake's tables, and the batch is PUBLISHED."""
    output = attempt_prefix("shop", batch_id, attempt)
    tables = {table.name: write(shop, table, batch_id, attempt, rows) for table in shop.datasets["shop"].tables}
    report = {
        "batch_id": batch_id, "attempt": attempt, "dataset": "shop", "files": [], "inputs": {}, "artifacts": {},
        "tables": {name: {"rows": len(rows), "files": files} for name, files in tables.items()},
        "rejected": {"rows": 0, "files": []},
    }  # fmt: skip
    shop.store.put("lake", f"{output}result.json", json.dumps(report))
    for table in shop.datasets["shop"].tables:
        shop.lake.publish(table, batch_id, attempt, [file["uri"] for file in tables[table.name]], len(rows))
    before = shop.ledger.batches.get(batch_id) or Batch(batch_id, "shop", NOON, NOON)
    counts = Counts(rows={name: len(rows) for name in tables})
    now = shop.clock.now()
    batch = replace(before, state=State.PUBLISHED, attempt=attempt, counts=counts, updated_at=now, due_at=now)
    spec = {"batch_id": batch_id, "attempt": attempt, "dataset": dict(shop.declared), "manifest": "", "output": ""}
    shop.store.put("control", f"{output}job_spec.json", json.dumps(spec))
    return shop.ledger.batches.save(batch)


def write(shop: Shop, table: Table, batch_id: str, attempt: int, rows: Rows) -> list[dict[str, Any]]:
    """One Parquet file with the table's columns in order; none without rows."""
    if not rows:
        return []
    found = pa.Table.from_pylist([row_of(batch_id, attempt, *row) for row in rows], arrow_schema(table))
    body = io.BytesIO()
    pq.write_table(found, body, compression="snappy")
    uri = f"s3://lake/{attempt_prefix('shop', batch_id, attempt)}tables/{table.name}/part.parquet"
    shop.client("s3").put_object(Bucket="lake", Key=split_uri(uri)[1], Body=body.getvalue())
    return [{"uri": uri, "rows": len(rows), "bytes": len(body.getvalue())}]


def row_of(batch_id: str, attempt: int, user: str, amount: int) -> dict[str, Any]:
    own = {"_batch_id": batch_id, "_attempt": attempt, "_landed_at": NOON.replace(tzinfo=None), "_ordinal": amount}
    return {"user": user, "amount": amount, **own}


def arrow_schema(table: Table) -> pa.Schema:
    """The columns as the job writes them: without Iceberg's field ids."""
    return pa.schema([pa.field(field.name, field.type) for field in iceberg_schema(table).as_arrow()])


def loaded(shop: Shop, batch_id: str, attempt: int, rows: Rows) -> None:
    """An attempt goes through to LOADED."""
    published(shop, batch_id, attempt, rows)
    load(shop, eager=True)
    wait_and_settle(shop, batch_id)


def wait_and_settle(shop: Shop, batch_id: str) -> None:
    batch = shop.ledger.batches.get(batch_id)
    assert batch
    opened = shop.ledger.loads.get(batch.load_id)
    assert opened
    shop.client("redshift-data").describe_statement(Id=opened.statement_id, WaitTimeSeconds=10)
    settle(shop, batch.load_id)
    found = shop.ledger.batches.get(batch_id)
    assert found
    assert found.state is State.LOADED, found.reason


def in_warehouse(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    """What readers see of each table, in order."""
    queries = {
        "sales": 'SELECT "user", amount, _batch_id, _attempt FROM sales ORDER BY 3, 1',
        "spent": 'SELECT "user", amount FROM spent ORDER BY 1',
        "users": 'SELECT "user", amount FROM users ORDER BY 1',
    }
    return {name: shop.warehouse.read(sql) for name, sql in queries.items()}


def drop(shop: Shop, *statements: str) -> None:
    for statement in statements:
        shop.warehouse.apply("drop", [statement])


def rebuilt(shop: Shop, *names: str) -> list[int]:
    """The rows of the tables that were made anew: those of these names, else all that miss something."""
    advance(shop, minutes=1)  # each rebuild has an id of its own
    admin = as_administrator(shop.warehouse, shop.client("redshift-serverless"))
    found = look(shop, admin, ["shop"])
    chosen = [lost for lost in found if lost.table.name in names or (not names and lost.missing)]
    return [rebuild(shop, Rebuilder(admin, LOADER), lost) for lost in chosen]


def missing(shop: Shop) -> dict[str, tuple[str, ...]]:
    return {lost.table.name: lost.missing for lost in look(shop, shop.warehouse, ["shop"]) if lost.missing}


DROPPED = [
    (["DROP TABLE sales"], {"sales": ("sales",)}),
    (["DROP VIEW spent"], {"spent": ("spent",)}),
    (["DROP VIEW spent", "DROP TABLE spent_by_batch"], {"spent": ("spent_by_batch", "spent")}),
    (["DROP TABLE users"], {"users": ("users",)}),
    (["DROP TABLE users", "DROP TABLE users_by_batch"], {"users": ("users_by_batch", "users")}),
]


def test_what_was_dropped_comes_back(shop: Shop) -> None:
    """Of each kind of table: readers see the same rows as before, and a second rebuild changes nothing."""
    before = in_warehouse(shop)
    assert (missing(shop), rebuilt(shop)) == ({}, [])
    for statements, lacks in DROPPED:
        drop(shop, *statements)
        assert missing(shop) == lacks
        assert rebuilt(shop) == [4]
        assert (in_warehouse(shop), missing(shop)) == (before, {})
    assert rebuilt(shop, "sales", "spent", "users") == [4, 4, 4]
    assert in_warehouse(shop) == before


def test_a_lost_warehouse_comes_back_whole(shop: Shop) -> None:
    """Schema, history and tables, all owned by the loader, who goes on loading into them."""
    before = in_warehouse(shop)
    drop(shop, "DROP TABLE sales", "DROP VIEW spent", "DROP TABLE spent_by_batch", "DROP TABLE users")
    drop(shop, "DROP TABLE users_by_batch", "DROP SCHEMA tidemark CASCADE")
    assert rebuilt(shop) == [4, 4, 4]
    assert in_warehouse(shop) == before
    history = "SELECT DISTINCT batch_id, attempt, table_name, row_count FROM tidemark.load_history ORDER BY 1, 3"
    assert shop.warehouse.read(history) == [
        (batch_id, 1, table, 2)
        for batch_id in (FIRST, SECOND)
        for table in ("sales", "spent_by_batch", "users_by_batch")
    ]
    loaded(shop, FIRST, 2, [("ann", 10)])
    assert [row[:2] for row in in_warehouse(shop)["sales"]] == [("ann", 10), ("ann", 4), ("cid", 3)]


def test_a_load_that_commits_after_the_files_were_listed_is_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listed files have the attempt before; the newer one's rows are neither lost nor doubled."""
    drop(shop, "DROP TABLE sales")
    listed = shop.snapshots.stored

    def loads_meanwhile(name: str) -> list[StoredFile]:
        files = listed(name)
        loaded(shop, FIRST, 2, [("ann", 10)])
        return files

    monkeypatch.setattr(shop.snapshots, "stored", loads_meanwhile)
    assert rebuilt(shop, "sales") == [4]
    assert [row[:2] for row in in_warehouse(shop)["sales"]] == [("ann", 10), ("ann", 4), ("cid", 3)]


def test_a_batch_that_is_published_and_not_loaded_counts_once(shop: Shop) -> None:
    """The rebuilt table has its rows already, and its own load replaces them by the same."""
    drop(shop, "DROP TABLE sales")
    published(shop, FIRST, 2, [("ann", 10)])
    assert rebuilt(shop) == [3]
    expected = [("ann", 10, FIRST, 2), ("ann", 4, SECOND, 1), ("cid", 3, SECOND, 1)]
    assert in_warehouse(shop)["sales"] == expected
    load(shop, eager=True)
    wait_and_settle(shop, FIRST)
    assert in_warehouse(shop)["sales"] == expected


def test_files_from_before_a_column_was_added_are_read_as_well(shop: Shop) -> None:
    """COPY maps by position, so each column order gets a stage of its own. A table never loaded is not lost."""
    columns = {**DECLARED["tables"]["sales"]["columns"], "note": "string(8)"}
    tables = {**DECLARED["tables"], "sales": {"columns": columns}}
    wider = replace(shop, declared={**DECLARED, "tables": tables})
    loaded(wider, FIRST, 2, [("ann", 10)])
    before = in_warehouse(wider)
    drop(wider, "DROP TABLE sales")
    later = {**tables, "never": {"columns": {"user": "string(8)"}}}
    assert rebuilt(replace(wider, declared={**DECLARED, "tables": later})) == [3]
    assert in_warehouse(wider) == before
    assert wider.warehouse.read("SELECT COUNT(*) FROM sales WHERE note IS NULL") == [(3,)]


def test_deleted_rows_come_back_and_a_short_copy_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is there, so its dataset must be named; the number of rows in the lake's metadata decides."""
    before = in_warehouse(shop)
    drop(shop, "DELETE FROM sales WHERE amount > 1")
    assert rebuilt(shop) == []
    assert rebuilt(shop, "sales") == [4]
    assert in_warehouse(shop) == before
    listed = shop.snapshots.stored

    def more(name: str) -> list[StoredFile]:
        return [replace(file, rows=file.rows + 1) for file in listed(name)]

    monkeypatch.setattr(shop.snapshots, "stored", more)
    with pytest.raises(TidemarkError, match="sales: the lake has 6 rows, and COPY has read 4: run it again"):
        rebuilt(shop, "sales")
