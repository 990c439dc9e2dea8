"""What tests/core/test_warehouse_sql.py claims of a load's statements on DuckDB holds on PostgreSQL, too."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from tests.core import test_warehouse_sql as on_duckdb
from tests.core.test_warehouse_sql import DRAWN, LOADS, Row, Warehouse, check_latest_rows
from tests.postgres.dialect import copied_table, inserts, postgres
from tests.postgres.loads import change
from tests.postgres.sessions import Session
from tests.postgres.stage import Stage
from tidemark.core.dataset import Table


class OnPostgres(Warehouse):
    """The same helpers over a session of PostgreSQL."""

    error = psycopg.Error

    def __init__(self, session: Session) -> None:
        self.session = session

    def change(self, table: Table, before: Table | None = None) -> None:
        change(self.session, table, before)

    def run(self, statements: Sequence[str], copied: Mapping[str, Sequence[Row]] | None = None) -> list[Row]:
        try:
            self.session.execute("BEGIN")
            for statement in statements:
                table = copied_table(statement)
                rows = self.session.execute(inserts(statement, (copied or {})[table]) if table else postgres(statement))
            self.session.execute("COMMIT")
            return rows
        finally:
            self.session.execute("ROLLBACK; DISCARD TEMP")


@pytest.fixture
def warehouse(stage: Stage) -> Warehouse:
    """A warehouse with the history and the tables, all empty."""
    return OnPostgres(stage.watcher)


# pytest collects them here once more, with this module's warehouse.
globals().update(
    {
        name: value
        for name, value in vars(on_duckdb).items()
        if name.startswith("test_") and "warehouse" in inspect.signature(value).parameters
    }
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DRAWN, LOADS)
def test_after_any_loads_the_table_is_what_a_computation_from_scratch_gives(
    stage: Stage, drawn: dict[tuple[str, int], list[tuple[str | None, int]]], loads: list[tuple[str, int]]
) -> None:
    """Whatever came, came twice, was replaced or late: of each key the latest row of the latest attempts is shown."""
    stage.reset()
    check_latest_rows(OnPostgres(stage.watcher), drawn, loads)
