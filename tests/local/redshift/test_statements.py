"""Statements of the Data API, from SUBMITTED to their end."""

from pathlib import Path
from typing import Any

import pytest

from local.redshift.data_api import RedshiftDataApp
from tests.local.redshift.conftest import WHERE, ended, no_s3, refused, rows, run, select
from tests.local.stand_ins import Events, client, eventually, served

MEMBERS = {"principal", "statementName", "statementId", "redshiftQueryId", "state", "rows", "expireAt"}


def test_sub_statements_have_results(redshift: Any) -> None:
    """Results of a batch are fetched by the ids of its parts; the batch itself has none."""
    done = run(redshift, "CREATE TEMP TABLE x AS SELECT 7 AS n", "SELECT n + 1 FROM x", "SELECT n FROM x WHERE n < 0")
    assert done["HasResultSet"]
    assert [part["HasResultSet"] for part in done["SubStatements"]] == [False, True, True]
    assert rows(redshift, f"{done['Id']}:2") == [(8,)]
    assert rows(redshift, f"{done['Id']}:3") == []
    assert "sub-statements" in refused(lambda: redshift.get_statement_result(Id=done["Id"]))
    assert "does not have result" in refused(lambda: redshift.get_statement_result(Id=f"{done['Id']}:1"))
    assert "does not exist" in refused(lambda: redshift.get_statement_result(Id=f"{done['Id']}:4"))


def test_the_same_token_is_the_same_statement(redshift: Any, app: RedshiftDataApp) -> None:
    """A client token runs a statement once, until it is forgotten; other parameters are refused."""
    run(redshift, "CREATE TABLE t (a INT)")
    first = run(redshift, "INSERT INTO t VALUES (1)", ClientToken="token")
    assert run(redshift, "INSERT INTO t VALUES (1)", ClientToken="token")["Id"] == first["Id"]
    assert select(redshift, "SELECT count(*) FROM t") == [(1,)]
    other = refused(lambda: redshift.execute_statement(Sql="SELECT 2", ClientToken="token", **WHERE))
    assert other.startswith("ValidationException")
    app.forget_client_tokens()
    assert run(redshift, "INSERT INTO t VALUES (1)", ClientToken="token")["Id"] != first["Id"]
    assert select(redshift, "SELECT count(*) FROM t") == [(2,)]


def test_tokens_are_kept_for_eight_hours(events: Events, tmp_path: Path) -> None:
    """After eight hours a token starts anew."""
    hours = [0.0]
    app = RedshiftDataApp(events, tmp_path / "clock.duckdb", no_s3, clock=lambda: hours[0] * 3600)
    with served(app) as url:
        redshift = client("redshift-data", url)
        ids = []
        for hours[0] in (0.0, 7.9, 8.1):
            ids.append(run(redshift, "SELECT 1", ClientToken="token")["Id"])
    app.close()
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("sqls", "state", "count"),
    [(["SELECT 1", "SELECT 2 UNION SELECT 3"], "FINISHED", 2), (["SELECT 1/0", "SELECT 1"], "FAILED", -1)],
)
def test_an_event_tells_the_end_if_asked(
    redshift: Any, events: Events, sqls: list[str], state: str, count: int
) -> None:
    """WithEvent emits one event per batch with AWS's members; without it there is none."""
    run(redshift, *sqls)
    done = run(redshift, *sqls, WithEvent=True, StatementName="load.1")
    source, kind, detail, resources = eventually(lambda: events)[0]
    assert len(events) == 1
    assert (source, kind) == ("aws.redshift-data", "Redshift Data Statement Status Change")
    assert resources == ["arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/warehouse"]
    assert set(detail) == MEMBERS
    told = (detail["statementId"], detail["statementName"], detail["state"], detail["rows"])
    assert told == (done["Id"], "load.1", state, count)
    assert detail["principal"] == "arn:aws:sts::123456789012:assumed-role/SubmitRole/local"


def test_statements_are_listed_by_name_prefix_and_status(redshift: Any) -> None:
    """ListStatements filters by prefix and status, latest first, in pages."""
    made = [
        run(redshift, sql, StatementName=f"load.{n}")["Id"]
        for n, sql in enumerate(["SELECT 1", "SELECT x", "SELECT 2"])
    ]
    run(redshift, "SELECT 3", StatementName="other")

    def listed(**asked: Any) -> list[str]:
        pages = redshift.get_paginator("list_statements").paginate(PaginationConfig={"PageSize": 1}, **asked)
        return [statement["Id"] for page in pages for statement in page["Statements"]]

    assert listed(StatementName="load.", Status="ALL") == made[::-1]
    assert listed(StatementName="load.") == [made[2], made[0]]
    assert listed(StatementName="load.", Status="FAILED") == [made[1]]
    assert listed(StatementName="load.", Status="ALL", WorkgroupName="another") == []


def test_cancelling_aborts_a_running_statement(redshift: Any, events: Events) -> None:
    """CancelStatement interrupts the query; the end is ABORTED and cannot be cancelled again."""
    endless = "SELECT count(*) FROM range(1000000000) a, range(1000000) b"
    statement = redshift.execute_statement(Sql=endless, WithEvent=True, **WHERE)["Id"]
    eventually(lambda: redshift.describe_statement(Id=statement)["Status"] == "STARTED")
    assert redshift.cancel_statement(Id=statement)["Status"] is True
    done = ended(redshift, statement)
    assert (done["Status"], done["Error"]) == ("ABORTED", "ERROR: Query cancelled on user's request")
    assert eventually(lambda: events)[0][2]["state"] == "ABORTED"
    assert "already in ABORTED state" in refused(lambda: redshift.cancel_statement(Id=statement))


def test_waiting_answers_with_the_end(redshift: Any) -> None:
    """With WaitTimeSeconds the first answer already carries the status."""
    made = redshift.execute_statement(Sql="SELECT 1", WaitTimeSeconds=10, **WHERE)
    assert (made["Status"], made["HasResultSet"]) == ("FINISHED", True)
