"""The load's statements are read as text, and executed: DuckDB plays the warehouse, and COPY is what a test gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pytest

from tidemark.core import declaration as declarations
from tidemark.core.dataset import Column, ColumnType, Table
from tidemark.core.errors import DeclarationError
from tidemark.core.loading import BATCHES_MAX
from tidemark.core.warehouse_sql import (
    STATEMENTS_MAX,
    TABLES_MAX,
    VIEW,
    LoadBatch,
    LoadTable,
    declared_shape,
    history_statements,
    load_statements,
    table_changes,
)

ROLE = "arn:aws:iam::123456789012:role/tidemark-CopyRole"
SQL_BYTES_MAX = 100_000  # Data API, aws-facts §5
ANYTHING = "s3://control/loads/load.1/any.manifest"
REDSHIFT_ONLY = re.compile(r" (DISTSTYLE \w+|(DISTKEY|SORTKEY) \([^)]*\))")

Row = tuple[Any, ...]


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnType.parse(text)) for name, text in types.items())


EVENTS = Table(
    "events", "facts", columns(user_id="string(8)", spent="decimal(12,2)"), sort=("user_id",), dist="user_id"
)
ACTIVITY = Table(
    "activity", "additive", columns(user_id="string(8)", hits="int", spent="decimal(12,2)"), sums=("hits", "spent")
)


def event(batch: str, attempt: int, user: str, spent: str = "1.00") -> Row:
    """A row of `events` as the job writes it: declared columns, batch, attempt, file, and nothing rescued."""
    return (user, spent, batch, attempt, f"s3://raw/{batch}.json", None)


class Warehouse:
    """DuckDB in place of Redshift: same statements, COPY replaced by an INSERT of given rows."""

    def __init__(self) -> None:
        self.db = duckdb.connect()
        self.db.execute("CREATE MACRO getdate() AS CAST(now() AS TIMESTAMP)")
        self.run(history_statements())
        for table in (EVENTS, ACTIVITY):
            self.change(table, None)

    def change(self, table: Table, recorded: Mapping[str, str] | None) -> None:
        """Bring a table to its declaration, one transaction after the other."""
        for statements in table_changes(table, recorded):
            self.run(statements)

    def run(self, statements: Sequence[str], copied: Mapping[str, Sequence[Row]] | None = None) -> list[Row]:
        """One transaction in a session of its own; the rows of its last statement."""
        session = self.db.cursor()
        session.begin()
        for statement in statements:
            self._execute(session, statement, copied or {})
        rows: list[Row] = session.fetchall()
        session.commit()
        session.close()
        return rows

    def _execute(self, session: Any, statement: str, copied: Mapping[str, Sequence[Row]]) -> None:
        copy = re.match(r'COPY ("stage_(\w+)") FROM', statement)
        if copy:
            for row in copied[copy[2]]:
                session.execute(f"INSERT INTO {copy[1]} VALUES ({', '.join('?' * len(row))})", row)
        elif not statement.startswith("LOCK "):
            session.execute(REDSHIFT_ONLY.sub("", statement))

    def load(
        self, load_id: str, batches: Mapping[str, int], events: Sequence[Row] = (), activity: Sequence[Row] = ()
    ) -> set[Row]:
        """Load batches (id → attempt) of dataset `web`; the history rows (batch, attempt, table, rows)."""
        tables = [
            LoadTable("web", EVENTS, ANYTHING if events else None),
            LoadTable("web", ACTIVITY, ANYTHING if activity else None),
        ]
        members = [LoadBatch("web", batch, attempt) for batch, attempt in batches.items()]
        statements = load_statements(load_id, members, tables, ROLE)
        return set(self.run(statements, {"events": events, "activity_by_batch": activity}))

    def users(self) -> list[Row]:
        return self.run(['SELECT _batch_id, _attempt, user_id FROM "events" ORDER BY ALL'])


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    """A warehouse with the history, `events` and `activity`, all empty."""
    made = Warehouse()
    yield made
    made.db.close()


# ── what a load does ────────────────────────────────────────────────────────────────────────────────────────


def test_a_load_brings_its_rows_and_counts_them(warehouse: Warehouse) -> None:
    """The last statement answers with what every table holds of every batch."""
    counted = warehouse.load("load.1", {"b1": 1, "b2": 1}, events=[event("b1", 1, "ann"), event("b1", 1, "bob")])
    assert warehouse.users() == [("b1", 1, "ann"), ("b1", 1, "bob")]
    assert counted == {
        ("b1", 1, "events", 2),
        ("b1", 1, "activity_by_batch", 0),
        ("b2", 1, "events", 0),
        ("b2", 1, "activity_by_batch", 0),
    }


def test_a_repeated_load_converges(warehouse: Warehouse) -> None:
    """Whoever does not know whether a load went through sends it again."""
    answers = [warehouse.load("load.1", {"b1": 1}, events=[event("b1", 1, "ann")]) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert warehouse.users() == [("b1", 1, "ann")]
    assert warehouse.run(["SELECT COUNT(*) FROM tidemark.load_history"]) == [(2,)]


def test_a_newer_attempt_replaces_the_older(warehouse: Warehouse) -> None:
    """A batch is a value: its rows are those of one attempt."""
    warehouse.load("load.1", {"b1": 1, "b2": 1}, events=[event("b1", 1, "ann"), event("b2", 1, "eve")])
    counted = warehouse.load("load.2", {"b1": 2}, events=[event("b1", 2, "bob"), event("b1", 2, "cid")])
    assert warehouse.users() == [("b1", 2, "bob"), ("b1", 2, "cid"), ("b2", 1, "eve")]
    assert ("b1", 2, "events", 2) in counted


def test_an_older_attempt_changes_nothing(warehouse: Warehouse) -> None:
    """A zombie's load comes late, finds the newer attempt recorded, and is not even counted."""
    warehouse.load("load.2", {"b1": 2}, events=[event("b1", 2, "bob")])
    assert warehouse.load("load.1", {"b1": 1}, events=[event("b1", 1, "ann")]) == set()
    assert warehouse.users() == [("b1", 2, "bob")]


def test_a_stale_batch_does_not_hold_its_company_back(warehouse: Warehouse) -> None:
    """Of a load with one batch outrun, the others arrive."""
    warehouse.load("load.2", {"b1": 2}, events=[event("b1", 2, "bob")])
    counted = warehouse.load("load.1", {"b1": 1, "b2": 1}, events=[event("b1", 1, "ann"), event("b2", 1, "eve")])
    assert warehouse.users() == [("b1", 2, "bob"), ("b2", 1, "eve")]
    assert counted == {("b2", 1, "events", 1), ("b2", 1, "activity_by_batch", 0)}


def test_an_attempt_without_rows_deletes_the_old_ones(warehouse: Warehouse) -> None:
    """A table that the new attempt has nothing for keeps nothing of the old one."""
    warehouse.load("load.1", {"b1": 1}, events=[event("b1", 1, "ann")], activity=[("ann", 1, "1.00", "b1", 1)])
    counted = warehouse.load("load.2", {"b1": 2}, events=[event("b1", 2, "bob")])
    assert warehouse.run(['SELECT * FROM "activity"']) == []
    assert ("b1", 2, "activity_by_batch", 0) in counted


def test_an_empty_attempt_also_outruns_a_zombie(warehouse: Warehouse) -> None:
    """The history records an attempt of no rows, so the older one stays out."""
    warehouse.load("load.2", {"b1": 2})
    warehouse.load("load.1", {"b1": 1}, events=[event("b1", 1, "ann")])
    assert warehouse.users() == []


def test_rows_of_another_attempt_in_the_files_are_left_out(warehouse: Warehouse) -> None:
    """What the manifest brings by mistake is not the batch's."""
    strays = [event("b1", 1, "old"), event("b9", 1, "foreign")]
    warehouse.load("load.1", {"b1": 2}, events=[event("b1", 2, "ann"), *strays])
    assert warehouse.users() == [("b1", 2, "ann")]


def test_the_history_counts_what_the_table_holds(warehouse: Warehouse) -> None:
    """The count is taken from the table itself, so a file copied twice is told, and settling stops."""
    double = [event("b1", 1, "ann"), event("b1", 1, "ann")]
    assert ("b1", 1, "events", 2) in warehouse.load("load.1", {"b1": 1}, events=double)


def test_a_failing_load_leaves_nothing_behind(warehouse: Warehouse) -> None:
    """All statements are one transaction."""
    with pytest.raises(duckdb.Error):
        warehouse.load("load.1", {"b1": 1}, events=[event("b1", 1, "ann")], activity=[("ann", "many", "1", "b1", 1)])
    assert warehouse.users() == []
    assert warehouse.run(["SELECT COUNT(*) FROM tidemark.load_history"]) == [(0,)]


def test_an_additive_table_is_seen_as_its_sums(warehouse: Warehouse) -> None:
    """Rows of several batches add up by key; money stays decimal."""
    rows = [("ann", 2, "0.10", "b1", 1), ("ann", 3, "0.20", "b2", 1), ("bob", 1, "5.00", "b2", 1)]
    warehouse.load("load.1", {"b1": 1, "b2": 1}, activity=rows)
    found = warehouse.run(['SELECT user_id, hits, CAST(spent AS VARCHAR) FROM "activity" ORDER BY user_id'])
    assert found == [("ann", 5, "0.30"), ("bob", 1, "5.00")]


def test_a_table_with_a_later_column_is_filled_by_name(warehouse: Warehouse) -> None:
    """An added column stands last in the warehouse and in the midst of the contract; rows arrive in both right."""
    wider = Table("events", "facts", columns(user_id="string(8)", page="string(8)", spent="decimal(12,2)"))
    warehouse.change(wider, declared_shape(EVENTS))
    statements = load_statements("load.1", [LoadBatch("web", "b1", 1)], [LoadTable("web", wider, ANYTHING)], ROLE)
    warehouse.run(statements, {"events": [("ann", "/home", "1.00", "b1", 1, "s3://raw/b1", None)]})
    assert warehouse.run(['SELECT user_id, page, _batch_id, _file FROM "events"']) == [
        ("ann", "/home", "b1", "s3://raw/b1")
    ]


# ── what a load says ────────────────────────────────────────────────────────────────────────────────────────


def full_load() -> list[str]:
    """The largest load that the policy packs."""
    types = {f"c{number}": "decimal(38,10)" for number in range(20)}
    tables = [
        LoadTable("web", Table(f"table_with_a_long_name_{number}", "facts", columns(**types)), ANYTHING)
        for number in range(TABLES_MAX)
    ]
    batches = [LoadBatch("x" * 32, f"{'x' * 32}.20260301T120000.{number:08x}", 1) for number in range(BATCHES_MAX)]
    return load_statements("load.20260301T120000.00000000", batches, tables, ROLE)


def test_the_largest_load_fits_one_call() -> None:
    """BatchExecuteStatement takes 40 statements of 100 KB together."""
    statements = full_load()
    assert len(statements) <= STATEMENTS_MAX
    assert sum(len(statement.encode()) for statement in statements) <= SQL_BYTES_MAX


def test_a_dataset_fits_one_load() -> None:
    """The limit of a declaration and that of a transaction are the same number."""
    assert declarations.TABLES_MAX == TABLES_MAX


def test_one_load_at_a_time_passes_the_lock() -> None:
    """The lock comes before the history is read, and the answer after it is written."""
    statements = full_load()
    assert statements[0] == "LOCK tidemark.load_history"
    assert statements[-1].startswith("SELECT batch_id, attempt, table_name, row_count FROM tidemark.load_history")


def test_nothing_in_a_load_commits_half_way() -> None:
    """TRUNCATE, VACUUM and ALTER TABLE APPEND would end the transaction."""
    assert not any(re.search(r"TRUNCATE|VACUUM|COMMIT|APPEND", statement) for statement in full_load())


@pytest.mark.parametrize("table", [EVENTS, ACTIVITY])
def test_the_stage_has_the_order_of_the_contract(table: Table) -> None:
    """COPY maps by position, so the stage declares exactly the columns that the job writes, in their order."""
    statements = load_statements("load.1", [LoadBatch("web", "b", 1)], [LoadTable("web", table, ANYTHING)], ROLE)
    stage = next(statement for statement in statements if statement.startswith('CREATE TEMP TABLE "stage_'))
    declared = ", ".join(f'"{column.name}" {column.type.redshift}' for column in table.all_columns)
    assert stage == f'CREATE TEMP TABLE "stage_{table.physical_name}" ({declared})'


def test_the_copy_names_manifest_and_role() -> None:
    """Parquet takes few options, and these are they."""
    statements = load_statements("load.1", [LoadBatch("web", "b", 1)], [LoadTable("web", EVENTS, ANYTHING)], ROLE)
    assert f"COPY \"stage_events\" FROM '{ANYTHING}' IAM_ROLE '{ROLE}' FORMAT AS PARQUET MANIFEST" in statements


@pytest.mark.parametrize("value", ["", "a'b", "a b", "a\nb", "a;b", "a\\b", "ü"])
@pytest.mark.parametrize("place", ["load", "batch", "dataset", "manifest", "role"])
def test_literals_are_checked(place: str, value: str) -> None:
    """No parameter can stand in COPY, so nothing that could end a literal passes."""
    given = {"load": "load.1", "batch": "b", "dataset": "web", "manifest": ANYTHING, "role": ROLE} | {place: value}
    batches = [LoadBatch(given["dataset"], given["batch"], 1)]
    tables = [LoadTable("web", EVENTS, given["manifest"])]
    with pytest.raises(ValueError, match="expected a name of"):
        load_statements(given["load"], batches, tables, given["role"])


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_table_is_created_with_its_layout() -> None:
    """Sort and distribution keys come from the declaration."""
    [[create]] = table_changes(EVENTS, None)
    assert create.startswith('CREATE TABLE IF NOT EXISTS "events" ("user_id" VARCHAR(8), "spent" DECIMAL(12,2), "_ba')
    assert create.endswith('"_rescued" VARCHAR(65535)) DISTKEY ("user_id") SORTKEY ("user_id")')


def test_a_table_as_declared_needs_nothing() -> None:
    """What was applied is recorded and not applied again."""
    assert table_changes(EVENTS, declared_shape(EVENTS)) == []
    assert table_changes(ACTIVITY, declared_shape(ACTIVITY)) == []


def test_adding_a_column_is_the_whole_migration() -> None:
    """One ALTER for each new column."""
    recorded = declared_shape(EVENTS)
    del recorded["spent"]
    assert table_changes(EVENTS, recorded) == [['ALTER TABLE "events" ADD COLUMN "spent" DECIMAL(12,2)']]


def test_a_view_follows_its_table() -> None:
    """A column added to an additive table appears in the view that sums it."""
    recorded = declared_shape(ACTIVITY)
    recorded |= {VIEW: "as it was"}
    del recorded["hits"]
    [alter], [drop, create] = table_changes(ACTIVITY, recorded)
    assert alter == 'ALTER TABLE "activity_by_batch" ADD COLUMN "hits" INTEGER'
    assert drop == 'DROP VIEW IF EXISTS "activity"'
    assert 'CAST(SUM("hits") AS BIGINT) AS "hits"' in create


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        ({"spent": "DOUBLE PRECISION"}, "spent: expected DOUBLE PRECISION as in the warehouse, found DECIMAL(12,2)"),
        ({"user_id": "VARCHAR(4)"}, "user_id: expected VARCHAR(4) as in the warehouse, found VARCHAR(8)"),
        ({"page": "VARCHAR(8)"}, "page: expected VARCHAR(8) as in the warehouse, found no such column"),
    ],
)
def test_an_incompatible_change_is_refused(recorded: dict[str, str], message: str) -> None:
    """The error names the column and both types."""
    with pytest.raises(DeclarationError) as raised:
        table_changes(EVENTS, {**declared_shape(EVENTS), **recorded})
    assert str(raised.value) == f"tables.events.columns.{message}"
