"""Tables as Redshift has them."""

import pytest

from local.redshift.plans import CreateTable
from local.redshift.session import Session
from local.redshift.tables import Column, Table, columns_of
from local.redshift.translate import translate
from tests.local.redshift.sql import fails, run


def test_what_only_tunes_redshift_is_left_out() -> None:
    """Encodings, distribution and sort keys vanish; types, lengths, defaults and NOT NULL stay."""
    plan = translate(
        "CREATE TABLE IF NOT EXISTS tidemark.x (user_id VARCHAR(256) ENCODE zstd DISTKEY, n INT NOT NULL DEFAULT 3,"
        " amount DECIMAL(12,2) ENCODE az64, at TIMESTAMP SORTKEY, note VARCHAR(MAX), more SUPER, PRIMARY KEY (user_id),"
        " UNIQUE (n)) BACKUP NO DISTSTYLE KEY DISTKEY (user_id) COMPOUND SORTKEY (at, n);"
    )
    assert plan == CreateTable(
        Table("tidemark", "x"),
        (
            Column("user_id", "VARCHAR", 256, is_required=True),
            Column("n", "INT", None, is_required=True, default="3"),
            Column("amount", "DECIMAL(12, 2)"),
            Column("at", "TIMESTAMP"),
            Column("note", "VARCHAR", 65535),
            Column("more", "JSON"),
        ),
        if_not_exists=True,
    )


@pytest.mark.parametrize(
    "tuning", ["DISTSTYLE AUTO SORTKEY AUTO", "DISTSTYLE ALL", "INTERLEAVED SORTKEY (a)", "DISTKEY(a) SORTKEY(a)"]
)
def test_every_way_to_tune_a_table_is_read(tuning: str) -> None:
    """All table attributes of Redshift's CREATE TABLE are understood."""
    assert translate(f"CREATE TABLE t (a INT) {tuning}") == CreateTable(Table(None, "t"), (Column("a", "INT"),))


def test_texts_are_limited_in_bytes(session: Session) -> None:
    """VARCHAR(4) takes two umlauts and refuses three, on INSERT, UPDATE and after ALTER TABLE."""
    run(session, "CREATE TABLE t (a VARCHAR(4))", "INSERT INTO t VALUES ('öö')")
    assert fails(session, "INSERT INTO t VALUES ('ööö')") == "Value too long for character type: a, VARCHAR(4)"
    assert "Value too long" in fails(session, "UPDATE t SET a = 'abcde'")
    run(session, "ALTER TABLE t ADD COLUMN b VARCHAR(2) ENCODE lzo")
    assert "VARCHAR(2)" in fails(session, "INSERT INTO t VALUES ('a', 'abc')")
    run(session, "ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(6)", "INSERT INTO t VALUES ('ööö', 'b')")
    assert run(session, "SELECT a, b FROM t ORDER BY a") == [("öö", None), ("ööö", "b")]
    assert "should be larger" in fails(session, "ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(5)")


def test_keys_are_not_enforced(session: Session) -> None:
    """PRIMARY KEY and UNIQUE let duplicates in; a primary key still implies NOT NULL."""
    run(session, "CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE)", "INSERT INTO t VALUES (1, 1), (1, 1)")
    assert run(session, "SELECT count(*) FROM t") == [(2,)]
    assert fails(session, "INSERT INTO t VALUES (NULL, 1)") == "Cannot insert a NULL value into column a"


def test_a_table_like_another_has_its_columns(session: Session) -> None:
    """LIKE copies names, types, lengths and NOT NULL, but no rows; the copy may be temporary."""
    run(session, "CREATE SCHEMA tidemark", "CREATE TABLE tidemark.t (a VARCHAR(2) NOT NULL, b DECIMAL(12,2))")
    run(session, "INSERT INTO tidemark.t VALUES ('x', 1.5)", "CREATE TEMP TABLE stage (LIKE tidemark.t)")
    assert run(session, "SELECT * FROM stage") == []
    assert "VARCHAR(2)" in fails(session, "INSERT INTO stage VALUES ('abc', 1)")
    assert "NULL" in fails(session, "INSERT INTO stage VALUES (NULL, 1)")


def test_columns_are_added_without_loss(session: Session) -> None:
    """ALTER TABLE ADD COLUMN keeps rows, fills the default and leaves views working."""
    run(session, "CREATE SCHEMA s", "CREATE TABLE s.t (a INT NOT NULL)", "INSERT INTO s.t VALUES (1)")
    run(
        session,
        "CREATE VIEW s.v AS SELECT a FROM s.t WITH NO SCHEMA BINDING",
        "ALTER TABLE s.t ADD COLUMN b INT DEFAULT 7",
    )
    run(session, "INSERT INTO s.t (a) VALUES (2)")
    assert run(session, "SELECT a, b FROM s.t ORDER BY a") == [(1, 7), (2, 7)]
    assert run(session, "SELECT a FROM s.v ORDER BY a") == [(1,), (2,)]
    assert fails(session, "ALTER TABLE s.t ADD COLUMN B INT") == 'column "b" of relation "s.t" already exists'


def test_rows_wider_than_redshift_can_process_are_refused(session: Session) -> None:
    """Such tables can be created, but not filled from a query: a text counts its length and four bytes."""
    run(session, "CREATE TABLE wide (a VARCHAR(65527), b INT)", "CREATE TABLE wider (a VARCHAR(65528), b INT)")
    run(session, "CREATE TABLE source (a VARCHAR(8), b INT)")
    run(session, "INSERT INTO wide SELECT a, b FROM source", "INSERT INTO wider (a) SELECT a FROM source")
    for query in ("SELECT a, b FROM source", "SELECT a, b FROM source UNION ALL SELECT a, b FROM source"):
        words = fails(session, f"INSERT INTO wider {query}")
        assert words == (
            "8001 DETAIL: The combined length of columns processed in the SQL statement exceeded the query-processing"
            " limit of 65535 characters"
        )
    run(session, "INSERT INTO wider VALUES ('a', 1)")


@pytest.mark.parametrize(
    ("kind", "row_bytes"),
    [
        ("VARCHAR(7)", 11),
        ("BOOLEAN", 1),
        ("SMALLINT", 2),
        ("INT", 4),
        ("REAL", 4),
        ("DATE", 4),
        ("BIGINT", 8),
        ("DOUBLE PRECISION", 8),
        ("TIMESTAMP", 8),
        ("TIMESTAMPTZ", 8),
        ("DECIMAL(12,2)", 16),
    ],
)
def test_every_type_takes_its_bytes_of_a_row(session: Session, kind: str, row_bytes: int) -> None:
    """As Redshift documents the storage of each type; a decimal counts as the longest one."""
    run(session, f"CREATE TABLE t (a {kind})")
    assert columns_of(session.cursor, Table(None, "t"))[0].row_bytes == row_bytes
