"""The tables that the loads of these tests fill, and the loads: the product's own statements with given rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.core.test_warehouse_sql import ACTIVITY, ANYTHING, EVENTS, HOMES, REPORT, ROLE
from tests.postgres.dialect import Row, copied_table, inserts, postgres
from tests.postgres.sessions import Rows, Session
from tidemark.core.dataset import Table
from tidemark.core.warehouse_ddl import declared_shape, history_statements, relations, table_changes
from tidemark.core.warehouse_sql import LoadBatch, LoadTable, load_statements

DATASET = "web"
TABLES = (EVENTS, ACTIVITY, HOMES, REPORT)
LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")

#: What a query of everything that readers see of a table answers.
SEEN = {
    "events": 'SELECT _batch_id, _attempt, user_id FROM "events" ORDER BY 1, 2, 3',
    "activity": 'SELECT user_id, hits FROM "activity" ORDER BY 1',
    "homes": 'SELECT home_id, income, _batch_id FROM "homes" ORDER BY 1, 2, 3',
    "report": 'SELECT _batch_id, _attempt, n FROM "report" ORDER BY 1, 2, 3',
}


@dataclass(frozen=True)
class Load:
    """A load of one dataset, with the rows that COPY brings for each table; no rows, no COPY."""

    load_id: str
    batches: Mapping[str, int]  # id → attempt
    rows: Mapping[Table, Sequence[Row]]
    dataset: str = DATASET

    def statements(self) -> list[str]:
        """What PostgreSQL runs of the statements that the product sends."""
        members = [LoadBatch(self.dataset, batch, attempt) for batch, attempt in self.batches.items()]
        tables = [LoadTable(self.dataset, table, ANYTHING if rows else None) for table, rows in self.rows.items()]
        copied = {table.physical_name: rows for table, rows in self.rows.items()}
        return [_runnable(each, copied) for each in load_statements(self.load_id, members, tables, ROLE)]


def _runnable(statement: str, copied: Mapping[str, Sequence[Row]]) -> str:
    table = copied_table(statement)
    return inserts(statement, copied[table]) if table else postgres(statement)


def create(session: Session) -> None:
    """Makes the history and every table anew, with the product's statements."""
    session.execute("DROP SCHEMA IF EXISTS tidemark, public CASCADE", "CREATE SCHEMA public")
    apply(session, history_statements())
    for table in TABLES:
        change(session, table)


def change(session: Session, table: Table, before: Table | None = None) -> None:
    """Brings a table to its declaration."""
    for relation in relations(table):
        for statements in table_changes(table, relation, before and declared_shape(before, relation)):
            apply(session, statements)


def apply(session: Session, statements: Iterable[str]) -> Rows:
    """Runs the product's statements as one transaction in a session without temporary tables."""
    return _transaction(session, map(postgres, statements))


def load(session: Session, *loads: Load) -> Rows:
    """Runs whole loads, one after the other; the counts that the last one answers with."""
    rows: Rows = []
    for each in loads:
        rows = _transaction(session, each.statements())
    return rows


def _transaction(session: Session, statements: Iterable[str]) -> Rows:
    rows = session.execute("BEGIN", *statements)
    session.execute("COMMIT", "DISCARD TEMP")
    return rows


def seen(session: Session, tables: Iterable[Table]) -> dict[str, Rows]:
    """What readers see of the tables."""
    return {table.name: session.execute(SEEN[table.name]) for table in tables}
