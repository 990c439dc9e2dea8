"""Transactions and temporary tables."""

from typing import Any

from tests.local.redshift.conftest import rows, run, select


def test_a_batch_is_one_transaction(redshift: Any) -> None:
    """A failing statement rolls back all before it, later ones are aborted, and the error names its number."""
    run(redshift, "CREATE TABLE t (a INT)")
    done = run(redshift, "INSERT INTO t VALUES (1)", "INSERT INTO nowhere VALUES (2)", "INSERT INTO t VALUES (3)")
    assert done["Status"] == "FAILED"
    assert done["Error"] == 'Query #2 failed with ERROR: relation "nowhere" does not exist'
    assert [part["Status"] for part in done["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    assert [part["Id"] for part in done["SubStatements"]] == [f"{done['Id']}:{n}" for n in (1, 2, 3)]
    assert select(redshift, "SELECT count(*) FROM t") == [(0,)]


def test_auto_commit_keeps_what_went_before(redshift: Any) -> None:
    """In execution mode AUTO_COMMIT a failure leaves earlier statements in force."""
    run(redshift, "CREATE TABLE t (a INT)")
    done = run(redshift, "INSERT INTO t VALUES (1)", "INSERT INTO nowhere VALUES (2)", ExecutionMode="AUTO_COMMIT")
    assert (done["Status"], done["ExecutionMode"]) == ("FAILED", "AUTO_COMMIT")
    assert select(redshift, "SELECT a FROM t") == [(1,)]


def test_temporary_tables_belong_to_their_statement(redshift: Any) -> None:
    """A temporary table ends with its batch, and a namesake does not disturb it."""
    for expected in (1, 2):
        done = run(redshift, f"CREATE TEMP TABLE x AS SELECT {expected} AS n", "SELECT n FROM x")
        assert rows(redshift, f"{done['Id']}:2") == [(expected,)]
    assert run(redshift, "SELECT * FROM x")["Error"] == 'ERROR: relation "x" does not exist'
