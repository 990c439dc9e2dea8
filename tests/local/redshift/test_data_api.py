"""Redshift Data API stand-in, driven by boto3 over a DuckDB file."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.redshift.data_api import RedshiftDataApp
from local.redshift.tables import Table
from tests.local.stand_ins import Events, client, eventually, served

MEMBERS = {"principal", "statementName", "statementId", "redshiftQueryId", "state", "rows", "expireAt"}
WHERE = {"WorkgroupName": "warehouse", "Database": "dev"}


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def app(events: Events, tmp_path: Path) -> Iterator[RedshiftDataApp]:
    app = RedshiftDataApp(events, tmp_path / "warehouse.duckdb", s3=no_s3)
    yield app
    app.close()


@pytest.fixture
def redshift(app: RedshiftDataApp) -> Iterator[Any]:
    with served(app) as url:
        yield client("redshift-data", url)


def no_s3() -> Any:
    raise AssertionError("nothing is copied here")


def run(redshift: Any, *sqls: str, **more: Any) -> dict[str, Any]:
    """Run one statement, or several as a batch, to its end; the answer of DescribeStatement."""
    if len(sqls) == 1:
        made = redshift.execute_statement(Sql=sqls[0], **(WHERE | more))
    else:
        made = redshift.batch_execute_statement(Sqls=list(sqls), **(WHERE | more))
    return ended(redshift, made["Id"])


def ended(redshift: Any, statement: str) -> dict[str, Any]:
    answer = dict(redshift.describe_statement(Id=statement, WaitTimeSeconds=10))
    assert answer["Status"] in ("FINISHED", "FAILED", "ABORTED")
    return answer


def rows(redshift: Any, statement: str) -> list[tuple[Any, ...]]:
    pages = redshift.get_paginator("get_statement_result").paginate(Id=statement)
    records = [record for page in pages for record in page["Records"]]
    return [tuple(None if "isNull" in f else next(iter(f.values())) for f in record) for record in records]


def select(redshift: Any, sql: str, **more: Any) -> list[tuple[Any, ...]]:
    done = run(redshift, sql, **more)
    assert done["Status"] == "FINISHED", done["Error"]
    return rows(redshift, done["Id"])


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    return f"{error.value.response['Error']['Code']}: {error.value.response['Error']['Message']}"


def test_a_statement_is_described(redshift: Any) -> None:
    """DescribeStatement returns status, rows, a duration in nanoseconds and the SQL."""
    done = run(redshift, "SELECT 1 AS one UNION ALL SELECT 2")
    assert (done["Status"], done["ResultRows"], done["HasResultSet"]) == ("FINISHED", 2, True)
    assert done["QueryString"] == "SELECT 1 AS one UNION ALL SELECT 2"
    assert 0 < done["Duration"] < 10**10
    assert done["WorkgroupName"] == "warehouse"
    assert "SubStatements" not in done


def test_values_travel_typed(redshift: Any) -> None:
    """Each type arrives in the Field member and under the type name that Redshift uses."""
    done = run(
        redshift,
        "SELECT 1::smallint, 2, 3::bigint, 1.5::double precision, 1.50::decimal(10,2), 'ä', true, NULL::int,"
        " '2026-11-20'::date, '2026-11-20 07:05:00.25'::timestamp, '2026-11-20 07:05:00+01'::timestamptz,"
        " (SELECT sum(x) FROM (SELECT 5::bigint AS x))",
    )
    answer = redshift.get_statement_result(Id=done["Id"])
    assert answer["TotalNumRows"] == 1
    assert answer["Records"][0] == [
        {"longValue": 1},
        {"longValue": 2},
        {"longValue": 3},
        {"doubleValue": 1.5},
        {"stringValue": "1.50"},
        {"stringValue": "ä"},
        {"booleanValue": True},
        {"isNull": True},
        {"stringValue": "2026-11-20"},
        {"stringValue": "2026-11-20 07:05:00.25"},
        {"stringValue": "2026-11-20 06:05:00+00"},
        {"stringValue": "5"},
    ]
    types = "int2 int4 int8 float8 numeric varchar bool int4 date timestamp timestamptz numeric"
    assert [column["typeName"] for column in answer["ColumnMetadata"]] == types.split()
    assert [answer["ColumnMetadata"][4][k] for k in ("precision", "scale")] == [10, 2]


def test_results_come_in_pages(redshift: Any) -> None:
    """More than a thousand rows are fetched by NextToken without loss or repetition."""
    run(redshift, "CREATE TABLE t AS SELECT i::int AS i FROM generate_series(1, 2500) AS s(i)")
    assert select(redshift, "SELECT i FROM t ORDER BY i") == [(i,) for i in range(1, 2501)]


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


def test_temporary_tables_belong_to_their_statement(redshift: Any) -> None:
    """A temporary table ends with its batch, and a namesake does not disturb it."""
    for expected in (1, 2):
        done = run(redshift, f"CREATE TEMP TABLE x AS SELECT {expected} AS n", "SELECT n FROM x")
        assert rows(redshift, f"{done['Id']}:2") == [(expected,)]
    assert run(redshift, "SELECT * FROM x")["Error"] == 'ERROR: relation "x" does not exist'


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


def test_parameters_take_the_type_of_their_place(redshift: Any) -> None:
    """Named parameters are values, never SQL; unused and missing ones are refused."""
    values = [{"name": "n", "value": "2"}, {"name": "s", "value": "it's; DROP TABLE t"}]
    sql = "SELECT :n + 1, :s, DATE '2026-11-20' = :d"
    found = select(redshift, sql, Parameters=[*values, {"name": "d", "value": "2026-11-20"}])
    assert found == [(3, "it's; DROP TABLE t", True)]
    assert "unused" in refused(lambda: redshift.execute_statement(Sql="SELECT :n", Parameters=values, **WHERE))
    assert "parameter :d has no value" in run(redshift, sql, Parameters=values)["Error"]


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


def test_waiting_answers_with_the_end(redshift: Any) -> None:
    """With WaitTimeSeconds the first answer already carries the status."""
    made = redshift.execute_statement(Sql="SELECT 1", WaitTimeSeconds=10, **WHERE)
    assert (made["Status"], made["HasResultSet"]) == ("FINISHED", True)


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


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"Sqls": ["SELECT 1"] * 41}, "length less than or equal to 40"),
        ({"Sqls": ["SELECT 1", "SELECT '" + "x" * 102_400 + "'"]}, "exceeds the limit"),
        ({"Sqls": ["SELECT 1", " "]}, "must not be empty"),
        ({"ClientToken": "x" * 65}, "length less than or equal to 64"),
        ({"Database": ""}, "Database is required"),
        ({"WorkgroupName": "WAREHOUSE"}, "regular expression"),
        ({"SessionKeepAliveSeconds": 60}, "not supported locally"),
        ({"ResultFormat": "CSV"}, "not supported locally"),
    ],
)
def test_what_aws_would_refuse_is_refused(redshift: Any, asked: dict[str, Any], words: str) -> None:
    """Violated limits of the Data API and unsupported parameters are ValidationExceptions."""
    said = refused(lambda: redshift.batch_execute_statement(**({"Sqls": ["SELECT 1"]} | WHERE | asked)))
    assert said.startswith("ValidationException")
    assert words in said.replace("Member must have ", "")


def test_a_workgroup_or_a_cluster_is_needed(redshift: Any) -> None:
    """Neither and both are refused."""
    assert "required" in refused(lambda: redshift.execute_statement(Sql="SELECT 1", Database="dev"))
    assert "required" in refused(lambda: redshift.execute_statement(Sql="SELECT 1", ClusterIdentifier="c", **WHERE))


def test_unknown_statements_are_not_found(redshift: Any) -> None:
    """boto3 raises its typed exception for an unknown id."""
    with pytest.raises(redshift.exceptions.ResourceNotFoundException, match="does not exist"):
        redshift.describe_statement(Id="00000000-0000-0000-0000-000000000000")


def test_the_catalogue_is_listed(redshift: Any) -> None:
    """Schemas, tables and columns, including lengths, can be listed."""
    run(
        redshift,
        "CREATE SCHEMA tidemark",
        "CREATE TABLE tidemark.t (a VARCHAR(10) NOT NULL, b DECIMAL(12,2) DEFAULT 0)",
        "CREATE VIEW tidemark.v AS SELECT a FROM tidemark.t",
    )
    assert redshift.list_schemas(**WHERE)["Schemas"] == ["public", "tidemark"]
    tables = redshift.list_tables(SchemaPattern="tidemark", **WHERE)["Tables"]
    assert [(t["name"], t["type"]) for t in tables] == [("t", "TABLE"), ("v", "VIEW")]
    columns = redshift.describe_table(Schema="tidemark", Table="t", **WHERE)["ColumnList"]
    assert [(c["name"], c["typeName"], c["length"], c["nullable"]) for c in columns] == [
        ("a", "varchar", 10, 0),
        ("b", "numeric", 0, 1),
    ]
    assert redshift.describe_table(Schema="tidemark", Table="nope", **WHERE)["ColumnList"] == []


def test_tables_outlive_the_process(events: Events, tmp_path: Path) -> None:
    """A second app over the same file finds the tables, their lengths included."""
    for sql, error in (("CREATE TABLE t (a VARCHAR(2))", None), ("INSERT INTO t VALUES ('abc')", "Value too long")):
        app = RedshiftDataApp(events, tmp_path / "kept.duckdb", no_s3)
        with served(app) as url:
            done = run(client("redshift-data", url), sql)
        app.close()
        assert (error is None) == (done["Status"] == "FINISHED")
        assert error is None or error in done["Error"]
