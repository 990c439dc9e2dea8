"""The load's statements are read as text, and executed: DuckDB plays the warehouse, and COPY is what a test gives.

tests/postgres/test_same_as_on_duckdb.py executes them on PostgreSQL, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import KINDS, Column, Table
from tidemark.core.errors import Terminal
from tidemark.core.load_limits import STATEMENTS_MAX, statements_needed, statements_of
from tidemark.core.loading import BATCHES_MAX
from tidemark.core.warehouse_ddl import (
    HISTORY,
    declared_shape,
    history_of,
    history_statements,
    relations,
    shard_of,
    table_changes,
)
from tidemark.core.warehouse_sql import LoadBatch, LoadTable, load_statements

ROLE = "arn:aws:iam::123456789012:role/tidemark-CopyRole"
SQL_BYTES_MAX = 100_000  # docs/aws-facts.md#redshift-data-api
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
HOMES = Table("homes", "latest", columns(home_id="string(8)", income="string(8)"), key="home_id")
#: The record of loads as it was kept before there were shards.
REPORT = Table("report", "report", columns(n="int"))


def event(batch: str, attempt: int, user: str, spent: str = "1.00") -> Row:
    """A row of `events` as the job writes it: declared columns, batch, attempt, file, and nothing rescued."""
    return (user, spent, batch, attempt, f"s3://raw/{batch}.json", None)


def home(batch: str, attempt: int, home_id: str | None, income: str, landed: str = "2026-11-01", place: int = 1) -> Row:
    """A row of `homes`: declared columns, batch, attempt, file, nothing rescued, landing, place in the file."""
    return (home_id, income, batch, attempt, f"s3://raw/{batch}.csv", None, f"{landed} 00:00:00", place)


class Warehouse:
    """DuckDB in place of Redshift: same statements, COPY replaced by an INSERT of given rows."""

    error: type[Exception] = duckdb.Error

    def __init__(self) -> None:
        self.db = duckdb.connect()
        self.db.execute("CREATE MACRO getdate() AS CAST(now() AS TIMESTAMP)")
        self.run(history_statements())
        for table in (EVENTS, ACTIVITY, HOMES):
            self.change(table)

    def change(self, table: Table, before: Table | None = None) -> None:
        """Bring a table to its declaration, one transaction after the other."""
        for relation in relations(table):
            for statements in table_changes(table, relation, before and declared_shape(before, relation)):
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
        copy = re.match(r'COPY ("_stage_(\w+)") FROM', statement)
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

    def load_homes(self, load_id: str, batches: Mapping[str, int], *rows: Row, table: Table = HOMES) -> set[Row]:
        """Load batches (id → attempt) of dataset `crm`, whose one table is `homes`."""
        tables = [LoadTable("crm", table, ANYTHING if rows else None)]
        members = [LoadBatch("crm", batch, attempt) for batch, attempt in batches.items()]
        return set(self.run(load_statements(load_id, members, tables, ROLE), {"homes_by_batch": rows}))

    def homes(self) -> dict[str, str]:
        """What a reader of `homes` sees; it has a key once, or the second row is lost here and the counts differ."""
        rows = self.run(['SELECT home_id, income FROM "homes"'])
        assert len(dict(rows)) == len(rows)
        return dict(rows)

    def users(self) -> list[Row]:
        return self.run(['SELECT _batch_id, _attempt, user_id FROM "events" ORDER BY 1, 2, 3'])


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
    with pytest.raises(warehouse.error):
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
    warehouse.change(wider, EVENTS)
    statements = load_statements("load.1", [LoadBatch("web", "b1", 1)], [LoadTable("web", wider, ANYTHING)], ROLE)
    warehouse.run(statements, {"events": [("ann", "/home", "1.00", "b1", 1, "s3://raw/b1", None)]})
    assert warehouse.run(['SELECT user_id, page, _batch_id, _file FROM "events"']) == [
        ("ann", "/home", "b1", "s3://raw/b1")
    ]


def test_files_of_an_older_declaration_are_loaded_by_their_own_columns(warehouse: Warehouse) -> None:
    """A batch that was made before a column was added arrives, and shows null there."""
    wider = Table("events", "facts", columns(user_id="string(8)", page="string(8)", spent="decimal(12,2)"))
    warehouse.change(wider, EVENTS)
    load = LoadTable("web", wider, ANYTHING, EVENTS.all_columns)
    warehouse.run(
        load_statements("load.1", [LoadBatch("web", "b1", 1)], [load], ROLE), {"events": [event("b1", 1, "ann")]}
    )
    assert warehouse.run(['SELECT user_id, page, _batch_id FROM "events"']) == [("ann", None, "b1")]


# ── tables of the latest row ────────────────────────────────────────────────────────────────────────────────


def test_the_row_that_landed_last_is_shown(warehouse: Warehouse) -> None:
    """All rows are stored and counted; of a key, the one of the later file is shown."""
    warehouse.load_homes("load.1", {"b1": 1}, home("b1", 1, "h1", "low"), home("b1", 1, "h2", "low"))
    counted = warehouse.load_homes("load.2", {"b2": 1}, home("b2", 1, "h1", "high", landed="2026-11-02"))
    assert warehouse.homes() == {"h1": "high", "h2": "low"}
    assert counted == {("b2", 1, "homes_by_batch", 1)}


def test_an_older_file_that_is_loaded_later_does_not_win(warehouse: Warehouse) -> None:
    """A backfill brings history, not news."""
    warehouse.load_homes("load.1", {"b1": 1}, home("b1", 1, "h1", "new", landed="2026-11-02"))
    warehouse.load_homes("load.2", {"b2": 1}, home("b2", 1, "h1", "old", landed="2026-11-01"))
    assert warehouse.homes() == {"h1": "new"}


def test_the_declared_column_comes_before_the_arrival(warehouse: Warehouse) -> None:
    """With `newest_by`, the row of the later value wins whenever it came; a row without a value loses."""
    dated = Table("homes", "latest", HOMES.columns, key="home_id", newest_by="income")
    rows = [home("b1", 1, "h1", "2026"), home("b1", 1, "h1", "2025", landed="2026-11-09"), home("b1", 1, "h2", "")]
    rows.append(("h2", None, *home("b1", 1, "h2", "", landed="2026-11-09")[2:]))
    warehouse.load_homes("load.1", {"b1": 1}, *rows, table=dated)
    assert warehouse.homes() == {"h1": "2026", "h2": ""}


def test_an_older_row_comes_back_when_the_latest_goes(warehouse: Warehouse) -> None:
    """A batch is replaced by an attempt without the key: what was shown before it is shown again."""
    warehouse.load_homes("load.1", {"b1": 1}, home("b1", 1, "h1", "low"))
    warehouse.load_homes("load.2", {"b2": 1}, home("b2", 1, "h1", "high", landed="2026-11-02"))
    warehouse.load_homes("load.3", {"b2": 2}, home("b2", 2, "h2", "high", landed="2026-11-02"))
    assert warehouse.homes() == {"h1": "low", "h2": "high"}


def test_a_key_goes_with_its_last_row(warehouse: Warehouse) -> None:
    """An attempt without any rows takes what the older one showed with it."""
    warehouse.load_homes("load.1", {"b1": 1}, home("b1", 1, "h1", "low"))
    warehouse.load_homes("load.2", {"b1": 2})
    assert warehouse.homes() == {}


def test_an_older_attempt_shows_nothing(warehouse: Warehouse) -> None:
    """A zombie's rows are neither stored nor shown."""
    warehouse.load_homes("load.2", {"b1": 2}, home("b1", 2, "h1", "new"))
    warehouse.load_homes("load.1", {"b1": 1}, home("b1", 1, "h1", "old", landed="2026-12-01"))
    assert warehouse.homes() == {"h1": "new"}


def test_two_batches_in_one_load_show_the_newer_of_a_key(warehouse: Warehouse) -> None:
    """Which batch of a load is inserted first does not matter."""
    rows = [home("b1", 1, "h1", "new", landed="2026-11-02"), home("b2", 1, "h1", "old")]
    warehouse.load_homes("load.1", {"b1": 1, "b2": 1}, *rows)
    assert warehouse.homes() == {"h1": "new"}


def test_a_row_without_a_key_is_stored_and_not_shown(warehouse: Warehouse) -> None:
    """It counts among the batch's rows, so nothing is lost; it is nobody's latest row."""
    counted = warehouse.load_homes("load.1", {"b1": 1}, home("b1", 1, None, "low"), home("b1", 1, "h1", "low"))
    assert warehouse.homes() == {"h1": "low"}
    assert counted == {("b1", 1, "homes_by_batch", 2)}


def test_a_batch_of_an_older_declaration_takes_no_column_from_others(warehouse: Warehouse) -> None:
    """A key's latest row is of another batch and has the new column: it is shown with it, whoever touched the key."""
    wider = Table("homes", "latest", (*HOMES.columns, *columns(size="int")), key="home_id")
    warehouse.change(wider, HOMES)
    landed = home("b2", 1, "h1", "high", landed="2026-11-02")
    warehouse.load_homes("load.1", {"b2": 1}, (*landed[:2], 5, *landed[2:]), table=wider)
    old = LoadTable("crm", wider, ANYTHING, HOMES.all_columns)
    statements = load_statements("load.2", [LoadBatch("crm", "b1", 1)], [old], ROLE)
    warehouse.run(statements, {"homes_by_batch": [home("b1", 1, "h1", "low")]})
    assert warehouse.run(['SELECT home_id, income, size FROM "homes"']) == [("h1", "high", 5)]


ATTEMPTS = [(batch, attempt) for batch in ("b1", "b2", "b3") for attempt in (1, 2)]
ROWS = st.lists(st.tuples(st.sampled_from(["h1", "h2", None]), st.integers(1, 3)), max_size=3)  # key, day of landing


DRAWN = st.fixed_dictionaries(dict.fromkeys(ATTEMPTS, ROWS))
LOADS = st.lists(st.sampled_from(ATTEMPTS), max_size=8)


def check_latest_rows(
    warehouse: Warehouse, drawn: dict[tuple[str, int], list[tuple[str | None, int]]], loads: list[tuple[str, int]]
) -> None:
    """Load the drawn attempts one by one into an empty warehouse, and compare `homes` with what should be shown."""
    latest = dict[str, int]()
    content = {
        (batch, attempt): [
            home(batch, attempt, key, f"{batch}.{attempt}.{place}", f"2026-11-0{day}", place)
            for place, (key, day) in enumerate(rows)
        ]
        for (batch, attempt), rows in drawn.items()
    }
    for number, (batch, attempt) in enumerate(loads):
        warehouse.load_homes(f"load.{number}", {batch: attempt}, *content[(batch, attempt)])
        latest[batch] = max(attempt, latest.get(batch, 0))
    stored = [row for member in latest.items() for row in content[member] if row[0]]
    ranked = sorted(stored, key=lambda row: (row[6], row[4], row[7]))  # landed, file, place
    assert warehouse.homes() == {row[0]: row[1] for row in ranked}


@settings(max_examples=12, deadline=None)
@given(DRAWN, LOADS)
def test_after_any_loads_the_table_is_what_a_computation_from_scratch_gives(
    drawn: dict[tuple[str, int], list[tuple[str | None, int]]], loads: list[tuple[str, int]]
) -> None:
    """Whatever came, came twice, was replaced or late: of each key the latest row of the latest attempts is shown."""
    warehouse = Warehouse()
    check_latest_rows(warehouse, drawn, loads)
    warehouse.db.close()


# ── names that the load itself uses ─────────────────────────────────────────────────────────────────────────

OWN_NAMES = ("accepted", "stage_events", "touched_homes", "ranked", "load_history", "a", "b", "h", "k", "s", "t")


@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_table_of_facts_may_be_called_like_what_a_load_makes(warehouse: Warehouse, name: str) -> None:
    """Beside other tables or alone, its rows arrive, are counted and replaced."""
    facts = Table(name, "facts", columns(user_id="string(8)", spent="decimal(12,2)"))
    warehouse.change(facts)
    tables = [LoadTable("web", table, ANYTHING) for table in (EVENTS, facts)]
    for attempt, user in ((1, "ann"), (2, "bob")):
        copied = {"events": [event("b1", attempt, "eve")], name: [event("b1", attempt, user)]}
        statements = load_statements(f"load.{attempt}", [LoadBatch("web", "b1", attempt)], tables, ROLE)
        counted = warehouse.run(statements, copied)
        assert set(counted) == {("b1", attempt, "events", 1), ("b1", attempt, name, 1)}
        assert warehouse.run([f'SELECT user_id, _attempt FROM "{name}"']) == [(user, attempt)]
    assert warehouse.users() == [("b1", 2, "eve")]


@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_table_of_the_latest_row_may_be_called_like_what_a_load_makes(warehouse: Warehouse, name: str) -> None:
    """Its latest rows are shown, and go with the attempt that brought them."""
    table = Table(name, "latest", HOMES.columns, key="home_id")
    warehouse.change(table)
    for attempt, income in ((1, "low"), (2, "high")):
        loads = [LoadTable("crm", table, ANYTHING)]
        statements = load_statements(f"load.{attempt}", [LoadBatch("crm", "b1", attempt)], loads, ROLE)
        warehouse.run(statements, {f"{name}_by_batch": [home("b1", attempt, "h1", income)]})
    assert warehouse.run([f'SELECT home_id, income FROM "{name}"']) == [("h1", "high")]


# ── what a load says ────────────────────────────────────────────────────────────────────────────────────────


def full_load(kind: str) -> list[str]:
    """The largest load that the policy packs, of tables of a kind."""
    types = {f"c{number}": "decimal(38,10)" for number in range(20)}
    tables: list[Table] = []
    while statements_needed(tables) <= STATEMENTS_MAX:
        name = f"table_with_a_long_name_{len(tables)}"
        tables.append(Table(name, kind, columns(**types), key="c0", newest_by="c1", sums=("c2",)))
    loads = [LoadTable("web", table, ANYTHING) for table in tables[:-1]]
    batches = [LoadBatch("x" * 32, f"{'x' * 32}.20260301T120000.{number:08x}", 1) for number in range(BATCHES_MAX)]
    return load_statements("load.20260301T120000.00000000", batches, loads, ROLE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_load_fits_one_call(kind: str) -> None:
    """BatchExecuteStatement takes 40 statements of 100 KB together."""
    statements = full_load(kind)
    assert len(statements) <= STATEMENTS_MAX
    assert sum(len(statement.encode()) for statement in statements) <= SQL_BYTES_MAX


@pytest.mark.parametrize("table", [EVENTS, ACTIVITY, HOMES, REPORT])
def test_the_statements_of_a_table_are_counted_exactly(table: Table) -> None:
    """The policy packs loads by this number, so one that is too small would make loads that nobody accepts."""
    batches = [LoadBatch("web", "b", 1)]
    without = load_statements("load.1", batches, [], ROLE)
    brings = load_statements("load.1", batches, [LoadTable("web", table, ANYTHING)], ROLE)
    assert len(brings) - len(without) == statements_of(table)
    assert len(brings) == statements_needed([table])


@pytest.mark.parametrize("kind", KINDS)
def test_one_load_at_a_time_passes_the_lock(kind: str) -> None:
    """The lock comes before the history is read, the answer after it is written, and no other shard is touched."""
    statements = full_load(kind)
    history = history_of(shard_of("x" * 32))
    assert statements[0] == f"LOCK {history}"
    assert statements[-1].startswith(f"SELECT batch_id, attempt, table_name, row_count FROM {history}")
    assert set(re.findall(r"tidemark\.\w+", " ".join(statements))) == {history}


def test_a_load_of_two_shards_is_refused() -> None:
    """`web` and `crm` have each a lock of their own: under one of them the other's loads would not wait."""
    batches = [LoadBatch("web", "web.1", 1), LoadBatch("crm", "crm.1", 1)]
    with pytest.raises(Terminal, match="expected batches of one shard in a load, found 1, 2"):
        load_statements("load.1", batches, [LoadTable("web", EVENTS, ANYTHING)], ROLE)


# ── the record of loads ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("dataset", "shard"), [("web", "2"), ("crm", "1"), ("orders", "1"), ("a", "0"), ("nine_7", "8")]
)
def test_the_shard_of_a_dataset_is_for_ever(dataset: str, shard: str) -> None:
    """The attempts that are loaded already are recorded there, and nowhere else are they looked for."""
    assert shard_of(dataset) == shard


def test_people_see_the_loads_of_all_shards(warehouse: Warehouse) -> None:
    """`web` and `crm` are of two shards; the view has the rows of both."""
    warehouse.load("load.1", {"web.1": 1}, events=[event("web.1", 1, "ann")])
    warehouse.load_homes("load.2", {"crm.1": 1}, home("crm.1", 1, "h1", "low"))
    seen = warehouse.run(["SELECT DISTINCT load_id, batch_id FROM tidemark.load_history ORDER BY load_id"])
    assert seen == [("load.1", "web.1"), ("load.2", "crm.1")]


def test_making_the_record_again_changes_nothing(warehouse: Warehouse) -> None:
    """Whoever made it may have died before saying so."""
    warehouse.load("load.1", {"web.1": 1}, events=[event("web.1", 1, "ann")])
    warehouse.run(history_statements())
    assert warehouse.run([f"SELECT COUNT(*) FROM {HISTORY}"]) == [(2,)]


def test_the_record_is_made_in_one_call() -> None:
    """Half of it would lose what it fences off."""
    assert len(history_statements()) <= STATEMENTS_MAX


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_a_load_commits_half_way(kind: str) -> None:
    """TRUNCATE, VACUUM and ALTER TABLE APPEND would end the transaction."""
    assert not any(re.search(r"TRUNCATE|VACUUM|COMMIT|APPEND", statement) for statement in full_load(kind))


@pytest.mark.parametrize("table", [EVENTS, ACTIVITY, HOMES])
def test_the_stage_has_the_order_of_the_contract(table: Table) -> None:
    """COPY maps by position, so the stage declares exactly the columns that the job writes, in their order."""
    statements = load_statements("load.1", [LoadBatch("web", "b", 1)], [LoadTable("web", table, ANYTHING)], ROLE)
    stage = next(statement for statement in statements if statement.startswith('CREATE TEMP TABLE "_stage_'))
    declared = ", ".join(f'"{column.name}" {column.type.redshift}' for column in table.all_columns)
    assert stage == f'CREATE TEMP TABLE "_stage_{table.physical_name}" ({declared})'


def test_the_copy_names_manifest_and_role() -> None:
    """Parquet takes few options, and these are they."""
    statements = load_statements("load.1", [LoadBatch("web", "b", 1)], [LoadTable("web", EVENTS, ANYTHING)], ROLE)
    assert f"COPY \"_stage_events\" FROM '{ANYTHING}' IAM_ROLE '{ROLE}' FORMAT AS PARQUET MANIFEST" in statements


@pytest.mark.parametrize("value", ["", "a'b", "a b", "a\nb", "a;b", "a\\b", "ü"])
@pytest.mark.parametrize("place", ["load", "batch", "dataset", "manifest", "role"])
def test_literals_are_checked(place: str, value: str) -> None:
    """No parameter can stand in COPY, so nothing that could end a literal passes."""
    given = {"load": "load.1", "batch": "b", "dataset": "web", "manifest": ANYTHING, "role": ROLE} | {place: value}
    batches = [LoadBatch(given["dataset"], given["batch"], 1)]
    tables = [LoadTable("web", EVENTS, given["manifest"])]
    with pytest.raises(ValueError, match="expected a name of"):
        load_statements(given["load"], batches, tables, given["role"])
