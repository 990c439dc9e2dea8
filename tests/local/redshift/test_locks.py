"""Who waits for whose tables."""

import threading
from typing import Any

from local.redshift.data_api import RedshiftDataApp
from local.redshift.tables import Table
from tests.local.redshift.conftest import WHERE, ended, run, select
from tests.local.stand_ins import eventually


def test_a_waiting_statement_can_be_cancelled(redshift: Any, app: RedshiftDataApp) -> None:
    """A statement that waits for another's writes is PICKED and never runs once cancelled."""
    run(redshift, "CREATE TABLE t (a INT)")
    with app.warehouse.locks.held():
        statement = redshift.execute_statement(Sql="INSERT INTO t VALUES (1)", **WHERE)["Id"]
        eventually(lambda: redshift.describe_statement(Id=statement)["Status"] == "PICKED")
        redshift.cancel_statement(Id=statement)
    assert ended(redshift, statement)["Status"] == "ABORTED"
    assert select(redshift, "SELECT count(*) FROM t") == [(0,)]


def test_batches_that_lock_different_tables_do_not_wait_for_each_other(redshift: Any, app: RedshiftDataApp) -> None:
    """While `t` is locked, a batch that locks `u` finishes; batches that lock `t`, or name no lock, wait."""
    run(redshift, "CREATE TABLE t (a INT)", "CREATE TABLE u (a INT)")
    insert = "INSERT INTO {} VALUES (1)"

    def begun(*sqls: str) -> str:
        return str(redshift.batch_execute_statement(Sqls=sqls, **WHERE)["Id"])

    with app.warehouse.locks.held(frozenset({Table(None, "t")})):
        free = begun("LOCK u", insert.format("u"))
        assert ended(redshift, free)["Status"] == "FINISHED"
        waiting = [begun("LOCK t", insert.format("t")), begun(insert.format("u"), insert.format("t"))]
        for statement in waiting:
            eventually(lambda statement=statement: redshift.describe_statement(Id=statement)["Status"] == "PICKED")
    assert {ended(redshift, statement)["Status"] for statement in waiting} == {"FINISHED"}
    assert select(redshift, "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)") == [(2, 2)]


def test_concurrent_batches_do_not_collide(redshift: Any) -> None:
    """Ten batches that replace the same row succeed one after another, as with Redshift's table lock."""
    run(redshift, "CREATE TABLE t (k INT, v INT)")
    made: list[str] = []

    def load(value: int) -> None:
        sqls = ["LOCK t", "DELETE FROM t WHERE k = 1", f"INSERT INTO t VALUES (1, {value})"]
        made.append(redshift.batch_execute_statement(Sqls=sqls, **WHERE)["Id"])

    threads = [threading.Thread(target=load, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {ended(redshift, statement)["Status"] for statement in made} == {"FINISHED"}
    assert select(redshift, "SELECT count(*) FROM t") == [(1,)]
