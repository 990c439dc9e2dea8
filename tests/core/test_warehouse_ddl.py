"""What the warehouse is told when a declaration is new or has changed."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from tests.core.test_warehouse_sql import ACTIVITY, EVENTS, columns
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Ratio, Table
from tidemark.core.errors import DeclarationError
from tidemark.core.warehouse_ddl import VIEW, Privilege, declared_shape, drops_view, relations, table_changes

HOMES = Table("homes", "latest", columns(home_id="string(8)", as_of="date"), key="home_id", newest_by="as_of")


def test_a_new_table_is_created_with_its_layout() -> None:
    """Sort and distribution keys come from the declaration."""
    [[create]] = table_changes(EVENTS, "events", None)
    assert create.startswith('CREATE TABLE IF NOT EXISTS "events" ("user_id" VARCHAR(8), "spent" DECIMAL(12,2), "_ba')
    assert create.endswith('"_rescued" VARCHAR(32768)) DISTKEY ("user_id") SORTKEY ("user_id")')


@pytest.mark.parametrize("table", [EVENTS, ACTIVITY, HOMES])
def test_a_table_as_declared_needs_nothing(table: Table) -> None:
    """What was applied is recorded and not applied again."""
    changes = {
        relation: table_changes(table, relation, declared_shape(table, relation)) for relation in relations(table)
    }
    assert changes
    assert set(map(len, changes.values())) == {0}


def test_adding_a_column_is_the_whole_migration() -> None:
    """One ALTER for each new column."""
    recorded = declared_shape(EVENTS, "events")
    del recorded["spent"]
    assert table_changes(EVENTS, "events", recorded) == [['ALTER TABLE "events" ADD COLUMN "spent" DECIMAL(12,2)']]


def test_a_latest_table_is_stored_and_shown_alike() -> None:
    """Both relations are created, and get a new column, the same way."""
    wider = replace(HOMES, columns=(*HOMES.columns, Column("income", ColumnType.parse("string(8)"))))
    assert relations(HOMES) == ("homes_by_batch", "homes")
    for relation in relations(HOMES):
        [[create]] = table_changes(HOMES, relation, None)
        assert create.startswith(
            f'CREATE TABLE IF NOT EXISTS "{relation}" ("home_id" VARCHAR(8), "as_of" DATE, "_batch'
        )
        added = table_changes(wider, relation, declared_shape(HOMES, relation))
        assert added == [[f'ALTER TABLE "{relation}" ADD COLUMN "income" VARCHAR(8)']]


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (replace(HOMES, key="as_of"), "the latest row of each as_of by as_of"),
        (replace(HOMES, newest_by=None), "the latest row of each home_id by arrival"),
    ],
)
def test_another_rule_for_the_latest_row_is_refused(changed: Table, found: str) -> None:
    """Rows that nobody touches would go on showing what the old rule chose."""
    with pytest.raises(DeclarationError) as raised:
        table_changes(changed, "homes", declared_shape(HOMES, "homes"))
    expected = "expected the latest row of each home_id by as_of as in the warehouse"
    assert str(raised.value) == f"tables.homes: {expected}, found {found}"


def test_a_view_follows_its_table() -> None:
    """A column added to an additive table appears in the view that sums it."""
    recorded = declared_shape(ACTIVITY, "activity_by_batch")
    recorded |= {VIEW: "as it was"}
    del recorded["hits"]
    [alter], [drop, create] = table_changes(ACTIVITY, "activity_by_batch", recorded)
    assert alter == 'ALTER TABLE "activity_by_batch" ADD COLUMN "hits" INTEGER'
    assert drop == 'DROP VIEW IF EXISTS "activity"'
    assert 'CAST(SUM("hits") AS BIGINT) AS "hits"' in create


def test_a_new_ratio_needs_only_a_new_view() -> None:
    """It is nowhere stored, so no table changes."""
    rated = replace(ACTIVITY, ratios=(Ratio("spent_per_hit", "spent", "hits"),))
    [[drop, create]] = table_changes(rated, "activity_by_batch", declared_shape(ACTIVITY, "activity_by_batch"))
    assert drop == 'DROP VIEW IF EXISTS "activity"'
    assert 'CAST(SUM("spent") AS DOUBLE PRECISION) / NULLIF(SUM("hits"), 0) AS "spent_per_hit"' in create


def with_ratio(numerator: str, denominator: str) -> Table:
    return replace(ACTIVITY, ratios=(Ratio("rate", numerator, denominator),))


def test_a_view_with_the_same_columns_is_replaced() -> None:
    """Its readers keep their privileges then, as nothing is dropped."""
    recorded = declared_shape(with_ratio("hits", "spent"), "activity_by_batch")
    changed = with_ratio("spent", "hits")
    assert not drops_view(changed, recorded)
    [[replaced]] = table_changes(changed, "activity_by_batch", recorded)
    assert replaced.startswith('CREATE OR REPLACE VIEW "activity" AS SELECT "user_id"')


def test_a_view_with_another_column_grants_again_what_its_readers_had() -> None:
    """Redshift replaces no view by one with other columns, and a dropped view takes its privileges along."""
    recorded = declared_shape(ACTIVITY, "activity_by_batch")
    rated = with_ratio("spent", "hits")
    assert drops_view(rated, recorded)
    had = [
        Privilege("SELECT", "IAMR:Reader", "user", True),
        Privilege("SELECT", 'the "best" analysts', "group", False),
        Privilege("SELECT", "reporting", "role", False),
        Privilege("SELECT", "public", "public", False),
    ]
    [[drop, create, *grants]] = table_changes(rated, "activity_by_batch", recorded, had)
    assert drop == 'DROP VIEW IF EXISTS "activity"'
    assert create.startswith('CREATE VIEW "activity" AS')
    assert grants == [
        'GRANT SELECT ON "activity" TO "IAMR:Reader" WITH GRANT OPTION',
        'GRANT SELECT ON "activity" TO GROUP "the ""best"" analysts"',
        'GRANT SELECT ON "activity" TO ROLE "reporting"',
        'GRANT SELECT ON "activity" TO PUBLIC',
    ]


def test_what_is_no_privilege_is_never_granted() -> None:
    """The word comes from the warehouse, and stands in a statement unquoted."""
    with pytest.raises(ValueError, match="expected a privilege, found 'SELECT ON x TO y; --'"):
        Privilege("SELECT ON x TO y; --", "a", "user", False).grant("activity")


@pytest.mark.parametrize(("table", "recorded"), [(ACTIVITY, None), (EVENTS, {"user_id": "VARCHAR(8)"})])
def test_without_a_view_before_none_is_dropped(table: Table, recorded: dict[str, str] | None) -> None:
    """A new table, and one that has no view."""
    assert not drops_view(table, recorded)


def test_a_ratio_is_that_of_the_sums() -> None:
    """1 click of 1 view and 0 of 3 are a quarter, not a half; nothing over nothing is null."""
    rates = Table(
        "rates", "additive", columns(page="string(8)", clicks="bigint", views="bigint"),
        sums=("clicks", "views"), ratios=(Ratio("rate", "clicks", "views"),),
    )  # fmt: skip
    with duckdb.connect() as db:
        [create], view = table_changes(rates, "rates_by_batch", None)
        for statement in (create.removesuffix(" DISTSTYLE AUTO"), *view):
            db.execute(statement)
        db.execute("INSERT INTO rates_by_batch VALUES ('a', 1, 1, 'b1', 1), ('a', 0, 3, 'b2', 1), ('b', 0, 0, 'b2', 1)")
        assert db.execute("SELECT page, rate FROM rates ORDER BY page").fetchall() == [("a", 0.25), ("b", None)]


@pytest.mark.parametrize("recorded", ["VARCHAR(9)", "VARCHAR(65535)"])
def test_a_text_may_become_shorter(recorded: str) -> None:
    """The warehouse's column keeps its length, and takes whatever the shorter one takes."""
    assert table_changes(EVENTS, "events", {**declared_shape(EVENTS, "events"), "user_id": recorded}) == []


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
        table_changes(EVENTS, "events", {**declared_shape(EVENTS, "events"), **recorded})
    assert str(raised.value) == f"tables.events.columns.{message}"
