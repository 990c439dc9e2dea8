"""Who may read what, as SVV_RELATION_PRIVILEGES shows it."""

from __future__ import annotations

import pytest

from local.redshift.session import Session
from tests.local.redshift.sql import fails, run
from tidemark.core.warehouse_ddl import Privilege, privileges_query

GRANTED = [("SELECT", "IAMR:Reader", "user", False), ("SELECT", "analysts", "group", False)]


@pytest.fixture
def view(session: Session) -> str:
    """A view with two readers."""
    run(
        session,
        "CREATE TABLE hits (page VARCHAR(8), n BIGINT)",
        "CREATE VIEW totals AS SELECT page, SUM(n) AS n FROM hits GROUP BY page",
        'GRANT SELECT ON "totals" TO "IAMR:Reader"',
        "GRANT SELECT ON TABLE public.totals TO GROUP analysts",
    )
    return "totals"


def granted(session: Session, relation: str) -> list[tuple[object, ...]]:
    return sorted(run(session, privileges_query(relation)))


def test_privileges_are_shown_as_they_were_granted(session: Session, view: str) -> None:
    """The product's own query reads them, and its own statements grant the same again."""
    assert granted(session, view) == GRANTED
    run(session, *(Privilege(*row).grant("hits") for row in granted(session, view)))
    assert granted(session, "hits") == GRANTED


@pytest.mark.parametrize("drop", ["DROP VIEW totals", 'DROP VIEW IF EXISTS "totals"'])
def test_a_view_that_is_dropped_loses_its_privileges(session: Session, view: str, drop: str) -> None:
    """Also if one of its name is made in the same breath."""
    run(session, drop, "CREATE VIEW totals AS SELECT page, SUM(n) AS n FROM hits GROUP BY page")
    assert granted(session, view) == []


def test_a_view_that_is_replaced_keeps_its_privileges(session: Session, view: str) -> None:
    """Of its query only the columns have to stay."""
    run(session, "CREATE OR REPLACE VIEW totals AS SELECT page, SUM(n) + 0 AS n FROM hits GROUP BY page")
    assert granted(session, view) == GRANTED


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT page FROM hits", "cannot change number of columns in view"),
        ("SELECT page, n, n AS m FROM hits", "cannot change number of columns in view"),
        ("SELECT page AS path, SUM(n) AS n FROM hits GROUP BY page", 'cannot change name of view column "page"'),
        ("SELECT page, MAX(page) AS n FROM hits GROUP BY page", 'cannot change data type of view column "n"'),
    ],
)
def test_a_view_is_replaced_only_by_one_with_the_same_columns(
    session: Session, view: str, query: str, words: str
) -> None:
    """As in Redshift: names, types and their number."""
    assert fails(session, f"CREATE OR REPLACE VIEW totals AS {query}") == words
    assert granted(session, view) == GRANTED


def test_a_new_view_may_be_replaced(session: Session) -> None:
    """There is nothing to compare with."""
    run(session, "CREATE OR REPLACE VIEW one AS SELECT 1 AS n")
    assert run(session, "SELECT n FROM one") == [(1,)]


def test_privileges_are_revoked_and_need_a_relation(session: Session, view: str) -> None:
    """REVOKE takes back what GRANT gave, once and by whom it was given to."""
    run(session, "REVOKE SELECT ON totals FROM GROUP analysts", "GRANT SELECT, INSERT ON hits TO PUBLIC")
    assert granted(session, view) == GRANTED[:1]
    assert granted(session, "hits") == [("INSERT", "public", "public", False), ("SELECT", "public", "public", False)]
    assert fails(session, "GRANT SELECT ON nowhere TO PUBLIC") == 'relation "nowhere" does not exist'
    run(session, "GRANT USAGE ON SCHEMA public TO ROLE r", "REVOKE ALL ON hits FROM PUBLIC")
    assert granted(session, "hits") == []


def test_a_grant_is_undone_with_its_transaction(session: Session, view: str) -> None:
    """As any other change."""
    session.begin()
    run(session, "DROP VIEW totals", "CREATE VIEW totals AS SELECT 1 AS n")
    session.rollback()
    assert granted(session, view) == GRANTED
