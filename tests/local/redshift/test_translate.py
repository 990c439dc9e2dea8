"""Redshift's SQL on DuckDB: what runs, what means the same, what is refused."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from local.redshift.plans import Nothing, Query
from local.redshift.session import Session
from local.redshift.tables import SqlError
from local.redshift.translate import translate, used_parameters
from tests.local.redshift.sql import fails, run
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column as Declared
from tidemark.core.dataset import Table as DeclaredTable
from tidemark.core.warehouse_ddl import history_statements, relations, table_changes
from tidemark.core.warehouse_sql import LoadBatch, LoadTable, load_statements

# ---- temporary tables and views


def test_temporary_tables_by_their_name(session: Session) -> None:
    """A name with # is a temporary table and is found under that name."""
    run(session, "CREATE TABLE #t (a INT)", "INSERT INTO #t VALUES (1)")
    assert run(session, "SELECT a FROM #t") == [(1,)]


def test_a_temporary_table_hides_its_namesake(session: Session) -> None:
    """Unqualified names mean the temporary table first, also for LIKE and COPY's target."""
    run(session, "CREATE TABLE t (a INT)", "CREATE TEMP TABLE t (b INT, c INT)", "CREATE TABLE u (LIKE t)")
    run(session, "INSERT INTO t VALUES (1, 2)")
    assert run(session, "SELECT count(*) FROM public.t") == [(0,)]
    assert run(session, "SELECT b, c FROM u") == []


def test_definitions_can_be_rolled_back(session: Session) -> None:
    """Creating and altering tables is part of the transaction, as in Redshift."""
    run(session, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)")
    session.begin()
    run(session, "ALTER TABLE t ADD COLUMN b VARCHAR(3)", "CREATE TABLE u (a INT)", "INSERT INTO t VALUES (2, 'x')")
    session.rollback()
    assert run(session, "SELECT * FROM t") == [(1,)]
    assert fails(session, "SELECT * FROM u") == 'relation "u" does not exist'


def test_late_binding_views_need_qualified_names() -> None:
    """WITH NO SCHEMA BINDING is refused over unqualified tables, common table expressions excepted."""
    assert isinstance(
        translate("CREATE VIEW v AS WITH x AS (SELECT 1 AS a) SELECT a FROM x WITH NO SCHEMA BINDING"), Query
    )
    with pytest.raises(SqlError, match="should be qualified"):
        translate("CREATE VIEW v AS SELECT a FROM t WITH NO SCHEMA BINDING")


# ---- queries


def test_a_load_replaces_what_it_loads(session: Session) -> None:
    """The product's load in miniature: accepted batches, a stage, DELETE USING, INSERT from a join."""
    run(session, "CREATE SCHEMA tidemark", "CREATE TABLE tidemark.load_history (load_id VARCHAR(64), at TIMESTAMP)")
    run(session, "CREATE TABLE x (user_id VARCHAR(8), _batch_id VARCHAR(64))", "INSERT INTO x VALUES ('old', 'b1')")
    rows = run(
        session,
        "LOCK tidemark.load_history",
        "CREATE TEMP TABLE _accepted AS SELECT 'b1'::varchar(64) AS batch_id UNION ALL SELECT 'b2'",
        "CREATE TEMP TABLE _stage_x (user_id VARCHAR(8), _batch_id VARCHAR(64))",
        "INSERT INTO _stage_x VALUES ('new', 'b1'), ('more', 'b2'), ('not', 'b3')",
        "DELETE FROM x USING _accepted a WHERE x._batch_id = a.batch_id",
        "INSERT INTO x (user_id, _batch_id) SELECT s.user_id, s._batch_id FROM _stage_x s"
        " JOIN _accepted a ON s._batch_id = a.batch_id",
        "DELETE FROM tidemark.load_history WHERE load_id = 'l1'",
        "INSERT INTO tidemark.load_history SELECT 'l1', GETDATE()",
        "SELECT user_id FROM x ORDER BY 1",
    )
    assert rows == [("more",), ("new",)]


def test_the_latest_row_is_shown_as_in_redshift(session: Session) -> None:
    """Tidemark's own load of a latest table: temporary keys, DELETE USING, and a window in INSERT … SELECT."""
    columns = tuple(Declared(name, ColumnType.parse("string(8)")) for name in ("id", "income"))
    homes = DeclaredTable("homes", "latest", columns, key="id")
    for relation in relations(homes):
        run(session, *(sql for change in table_changes(homes, relation, None) for sql in change))
    run(session, *history_statements())
    for number, (income, day) in enumerate([("low", 1), ("high", 3), ("late", 2)]):
        load = LoadTable("crm", homes, "s3://lake/m.manifest")
        statements = load_statements(f"load.{number}", [LoadBatch("crm", f"b{number}", 1)], [load], "arn:role")
        row = f"('h1', '{income}', 'b{number}', 1, 's3://raw/f', NULL, '2026-11-0{day}', 1)"
        given = f'INSERT INTO "_stage_homes_by_batch" VALUES {row}'
        session.begin()
        run(session, *(given if sql.startswith("COPY") else sql for sql in statements))
        session.commit()
        run(session, "DROP TABLE _accepted", 'DROP TABLE "_stage_homes_by_batch"', 'DROP TABLE "_touched_homes"')
    assert run(session, "SELECT id, income, _batch_id FROM homes") == [("h1", "high", "b1")]
    assert run(session, "SELECT COUNT(*), COUNT(DISTINCT id) FROM homes_by_batch") == [(3, 1)]


# ---- what is left out, and what is refused


@pytest.mark.parametrize(
    "sql",
    [
        "GRANT SELECT ON ALL TABLES IN SCHEMA tidemark TO ROLE readers",
        "GRANT USAGE ON SCHEMA tidemark TO PUBLIC",
        "VACUUM t",
        "ANALYZE t",
        "SET query_group TO 'load'",
    ],
)
def test_what_has_no_meaning_here_does_nothing(sql: str) -> None:
    """Grants, maintenance and harmless settings are accepted and change nothing."""
    assert translate(sql) == Nothing()


def test_a_lock_wants_its_tables(session: Session) -> None:
    """LOCK needs no action, since writers are serial, but its tables must exist."""
    run(session, "CREATE TABLE t (a INT)", "LOCK TABLE t")
    assert fails(session, "LOCK t, tidemark.nowhere") == 'relation "tidemark.nowhere" does not exist'


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "UNLOAD ('select 1') TO 's3://b/k' IAM_ROLE 'x'",
        "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'x' IAM_ROLE 'y'",
        "CREATE TABLE t (id BIGINT IDENTITY(1,1))",
        "CREATE MATERIALIZED VIEW v AS SELECT 1",
        "ALTER TABLE t APPEND FROM u",
        "MERGE INTO t USING s ON t.a = s.a REMOVE DUPLICATES",
        "CALL p()",
        "SET search_path TO tidemark",
        "SELECT 1; SELECT 2",
        "SELEC 1",
        "",
    ],
)
def test_what_is_not_understood_is_refused(sql: str) -> None:
    """Nothing is skipped in silence: a statement without a plan is an error that says so."""
    with pytest.raises(SqlError):
        translate(sql)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist'),
        ("INSERT INTO s.t VALUES (1)", 'schema "s" does not exist'),
        ("SELECT b FROM t", 'column "b" does not exist'),
        ("CREATE TABLE t (a INT)", 'relation "t" already exists'),
        ("CREATE SCHEMA public", 'schema "public" already exists'),
    ],
)
def test_errors_speak_like_redshift(session: Session, sql: str, words: str) -> None:
    """Errors for missing and duplicate relations, schemas and columns have Redshift's wording."""
    run(session, "CREATE TABLE t (a INT)")
    assert fails(session, sql) == words


def test_parameters_are_found() -> None:
    """`:name` counts as a parameter, a cast and a text do not."""
    assert used_parameters("SELECT a::int, ':x', :y FROM t WHERE b = :z") == {"y", "z"}


# ---- what a statement may reach


ESCAPES = [
    "SELECT * FROM '{file}'",
    'SELECT * FROM "{file}"',
    "FROM '{file}'",
    "SELECT * FROM t, '{file}' AS f",
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM Read_Text('{file}')",
    "SELECT * FROM \"read_text\"('{file}')",
    "SELECT * FROM main.read_text('{file}')",
    "SELECT * FROM read_text /* a */ ('{file}')",
    "SELECT * FROM (read_text('{file}'))",
    "SELECT * FROM TABLE(read_text('{file}'))",
    "SELECT * FROM t, LATERAL read_text('{file}') r",
    "SELECT * FROM t JOIN read_text('{file}') r ON 1 = 1",
    "SELECT * FROM parquet_scan(['{file}'])",
    "SELECT * FROM read_blob('{database}')",
    "SELECT * FROM '{database}'",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM sniff_csv('{file}')",
    "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
    "SELECT * FROM query_table('{file}')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM enable_logging('QueryLog', storage = 'file')",
    "SELECT * FROM 'https://example.com/x.parquet'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "WITH a AS (SELECT * FROM read_text('{file}')) SELECT * FROM a",
    "SELECT (SELECT content FROM read_text('{file}'))",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM read_text('{file}'))",
    "SELECT a FROM t UNION ALL SELECT content FROM read_text('{file}')",
    "SELECT a FROM t ORDER BY (SELECT content FROM read_text('{file}'))",
    "VALUES ((SELECT content FROM read_text('{file}')))",
    "CREATE TABLE u AS SELECT * FROM read_text('{file}')",
    "CREATE TABLE u (a VARCHAR(9) DEFAULT (SELECT content FROM read_text('{file}')))",
    "CREATE TABLE u (LIKE '{file}')",
    "ALTER TABLE t ADD COLUMN b VARCHAR(9) DEFAULT (SELECT content FROM read_text('{file}'))",
    "CREATE VIEW v AS SELECT * FROM read_text('{file}')",
    "CREATE MACRO m() AS TABLE SELECT * FROM read_text('{file}')",
    "CREATE FUNCTION f() RETURNS INT AS $$ SELECT 1 $$ LANGUAGE sql",
    "INSERT INTO t SELECT content FROM read_text('{file}')",
    "UPDATE t SET a = (SELECT content FROM read_text('{file}'))",
    "DELETE FROM t USING read_text('{file}') r WHERE r.content = t.a",
    "MERGE INTO t USING read_text('{file}') s ON t.a = s.content WHEN MATCHED THEN DELETE",
    "TRUNCATE read_text('{file}')",
    "COPY t FROM '{file}' IAM_ROLE 'r' FORMAT AS PARQUET MANIFEST",
    "COPY t FROM 'file://{file}' IAM_ROLE 'r' FORMAT AS PARQUET MANIFEST",
    "COPY t TO '{folder}/out.csv'",
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "UNLOAD ('SELECT 1') TO '{folder}/out' IAM_ROLE 'r'",
    "CREATE EXTERNAL SCHEMA e FROM DATA CATALOG DATABASE 'd'",
    "CREATE EXTERNAL TABLE e.t (a INT) STORED AS PARQUET LOCATION '{folder}'",
    "EXPORT DATABASE '{folder}/out'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/other.duckdb' AS other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CREATE SECRET s (TYPE s3)",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET enable_external_access",
    "PRAGMA enable_profiling",
    "CALL enable_logging()",
    "PREPARE p AS SELECT 1",
    "EXPLAIN ANALYZE SELECT * FROM read_text('{file}')",
    "SELECT 1; ATTACH '{folder}/other.duckdb'",
]


@pytest.mark.parametrize("sql", ESCAPES)
def test_a_statement_sees_tables_and_nothing_else(session: Session, tmp_path: Path, sql: str) -> None:
    """No statement can read or write the laptop's files, or attach, install or unlock anything."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nhush\n")
    run(session, "CREATE TABLE t (a VARCHAR(9))")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert fails(session, sql.format(file=secret, folder=tmp_path, database=tmp_path / "warehouse.duckdb"))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM '{file}'",
        "COPY (SELECT 1) TO '{file}'",
        "ATTACH '{file}' AS other",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET home_directory = '/tmp'",
        "PRAGMA enable_profiling",
        "SELECT * FROM leaked",
    ],
)
def test_the_database_itself_is_closed(session: Session, tmp_path: Path, sql: str) -> None:
    """Even DuckDB's own words, past the translation, reach no file, no setting and no variable of this process."""
    secret, leaked = tmp_path / "secret.csv", pa.table({"a": ["hush"]})
    secret.write_text("a\nhush\n")
    with pytest.raises(duckdb.Error):
        session.cursor.execute(sql.format(file=secret))
    assert (secret.read_text(), leaked.num_rows) == ("a\nhush\n", 1)


def test_functions_that_only_make_rows_may_stand_for_tables(session: Session) -> None:
    """Numbers and lists are read from nowhere."""
    assert run(session, "SELECT count(*) FROM generate_series(1, 3) AS s(i)") == [(3,)]
    assert run(session, "SELECT count(*) FROM range(3) r") == [(3,)]
