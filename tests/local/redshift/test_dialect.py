"""SQL that means in DuckDB what it means in Redshift."""

from typing import Any

import pytest

from local.redshift.session import Session
from tests.local.redshift.sql import run
from tidemark.core.dataset import Column as Declared
from tidemark.core.dataset import ColumnType, Ratio
from tidemark.core.dataset import Table as DeclaredTable
from tidemark.core.warehouse_ddl import table_changes


def test_a_cast_to_varchar_cuts_by_bytes(session: Session) -> None:
    """An explicit cast shortens silently, as in Redshift, and never in the middle of a character."""
    assert run(session, "SELECT 'öö'::varchar(3), 'abc'::char(2), 12345::varchar(3), NULL::varchar(2)") == [
        ("ö", "ab", "123", None)
    ]


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("SELECT 7 / 2, -7 / 2, 7.0 / 2", (3, -3, 3.5)),
        ("SELECT NVL(NULL, 1), NVL2(NULL, 1, 2), DECODE(2, 1, 'a', 2, 'b', 'c')", (1, 2, "b")),
        ("SELECT LEN('äb'), OCTET_LENGTH('äb'), 'a' || NULL", (2, 3, None)),
        ("SELECT LISTAGG(a, ',') WITHIN GROUP (ORDER BY a DESC) FROM (SELECT 1 AS a UNION ALL SELECT 2)", ("2,1",)),
        ("SELECT DATEDIFF(day, '2026-11-01'::date, '2026-11-20'::date)", (19,)),
        ("SELECT DATE_TRUNC('hour', '2026-11-20 07:05:00'::timestamp)::varchar", ("2026-11-20 07:00:00",)),
        ("SELECT TO_CHAR('2026-11-20 07:05:00'::timestamp, 'YYYY-MM-DD HH24:MI')", ("2026-11-20 07:05",)),
        ("SELECT JSON_EXTRACT_PATH_TEXT('{\"a\": {\"b\": \"c\"}}', 'a', 'b')", ("c",)),
        ("SELECT TOP 1 a FROM (SELECT 1 AS a UNION ALL SELECT NULL) ORDER BY a DESC", (None,)),
        (
            "SELECT a FROM (SELECT 1 AS a, 2 AS b UNION ALL SELECT 2, 1) QUALIFY ROW_NUMBER() OVER (ORDER BY b) = 1",
            (2,),
        ),
    ],
)
def test_functions_mean_what_they_mean_in_redshift(session: Session, sql: str, row: tuple[Any, ...]) -> None:
    """Integer division, NULL order, byte and character lengths and common functions give Redshift's results."""
    assert [tuple(float(v) if hasattr(v, "as_tuple") else v for v in r) for r in run(session, sql)] == [row]


def test_now_is_naive_utc(session: Session) -> None:
    """GETDATE() is UTC without zone and without fractions; SYSDATE has fractions."""
    ((now, exact),) = run(session, "SELECT GETDATE(), SYSDATE")
    assert now.tzinfo is None
    assert (now.microsecond, exact.tzinfo) == (0, None)
    assert abs((exact - now).total_seconds()) <= 1


def test_merge_inserts_with_and_without_columns(session: Session) -> None:
    """MERGE updates, deletes and inserts; INSERT VALUES works without a column list."""
    run(session, "CREATE TABLE t (a INT, b INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    run(session, "CREATE TEMP TABLE s AS SELECT 2 AS a, 20 AS b UNION ALL SELECT 3, 30")
    run(
        session,
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = s.b"
        " WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b)",
    )
    assert run(session, "SELECT a, b FROM t ORDER BY a") == [(1, 1), (2, 20), (3, 30)]
    run(
        session,
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (a) VALUES (s.a)",
    )
    assert run(session, "SELECT a FROM t") == [(1,)]


def test_a_ratio_of_sums_is_no_integer(session: Session) -> None:
    """Redshift divides integers without a remainder; the view's quotient is a double, and null over nothing."""
    columns = tuple(
        Declared(name, ColumnType.parse(kind)) for name, kind in (("page", "string"), ("c", "int"), ("v", "int"))
    )
    rates = DeclaredTable("rates", "additive", columns, sums=("c", "v"), ratios=(Ratio("rate", "c", "v"),))
    run(session, *(sql for change in table_changes(rates, "rates_by_batch", None) for sql in change))
    run(session, "INSERT INTO rates_by_batch VALUES ('a', 1, 1, 'b1', 1), ('a', 0, 3, 'b2', 1), ('b', 0, 0, 'b2', 1)")
    assert run(session, "SELECT page, rate FROM rates ORDER BY page") == [("a", 0.25), ("b", None)]
