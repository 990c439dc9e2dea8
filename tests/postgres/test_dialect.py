"""Redshift's statements become PostgreSQL's, or are refused."""

from __future__ import annotations

import pytest

from tests.postgres.dialect import UnknownError, copied_table, inserts, postgres

LAYOUTS = ['DISTKEY ("a") SORTKEY ("a", "b")', "DISTSTYLE AUTO", "DISTSTYLE ALL SORTKEY (a)"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_left_out(layout: str) -> None:
    """Where rows are stored, and in which order, changes no result."""
    assert postgres(f'CREATE TABLE "t" ("a" VARCHAR(8)) {layout}') == 'CREATE TABLE "t" ("a" VARCHAR(8))'


def test_words_in_texts_and_names_are_not_read() -> None:
    """A text or a name may say SUPER."""
    statement = """SELECT 'SUPER' AS "ENCODE" FROM t"""
    assert postgres(statement) == statement


@pytest.mark.parametrize(
    "statement",
    [
        'CREATE TABLE "t" ("a" SUPER)',
        'CREATE TABLE "t" ("a" BIGINT IDENTITY(1,1))',
        'CREATE TABLE "t" ("a" INTEGER ENCODE AZ64)',
        'CREATE TABLE "t" ("a" INTEGER) DISTSTYLE EVEN',
        'CREATE TABLE "t" ("a" INTEGER) INTERLEAVED SORTKEY ("a")',
        "SELECT LISTAGG(a) FROM t",
        "VACUUM t",
        "COPY t FROM 's3://b/k' IAM_ROLE 'r' CSV",
    ],
)
def test_what_is_not_mapped_is_refused(statement: str) -> None:
    """A statement that PostgreSQL might take in another sense is not run."""
    with pytest.raises(UnknownError, match="no mapping for"):
        postgres(statement)


def test_a_copy_becomes_inserts() -> None:
    """The rows are those that the test gives; null is null, and a quote stays one."""
    copy = """COPY "_stage_t" FROM 's3://b/m' IAM_ROLE 'arn:r' FORMAT AS PARQUET MANIFEST"""
    assert copied_table(copy) == "t"
    assert inserts(copy, [("it's", 1, None)]) == """INSERT INTO "_stage_t" VALUES ('it''s', 1, NULL)"""
    assert copied_table(copy + " FILLRECORD") is None
