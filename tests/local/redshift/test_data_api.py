"""Redshift Data API stand-in, driven by boto3 over a DuckDB file."""

from pathlib import Path
from typing import Any

import pytest

from local.redshift.data_api import RedshiftDataApp
from tests.local.redshift.conftest import WHERE, no_s3, refused, run, select
from tests.local.stand_ins import Events, client, served


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


def test_parameters_take_the_type_of_their_place(redshift: Any) -> None:
    """Named parameters are values, never SQL; unused and missing ones are refused."""
    values = [{"name": "n", "value": "2"}, {"name": "s", "value": "it's; DROP TABLE t"}]
    sql = "SELECT :n + 1, :s, DATE '2026-11-20' = :d"
    found = select(redshift, sql, Parameters=[*values, {"name": "d", "value": "2026-11-20"}])
    assert found == [(3, "it's; DROP TABLE t", True)]
    assert "unused" in refused(lambda: redshift.execute_statement(Sql="SELECT :n", Parameters=values, **WHERE))
    assert "parameter :d has no value" in run(redshift, sql, Parameters=values)["Error"]


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


def test_tables_outlive_the_process(events: Events, tmp_path: Path) -> None:
    """A second app over the same file finds the tables, their lengths included."""
    for sql, error in (("CREATE TABLE t (a VARCHAR(2))", None), ("INSERT INTO t VALUES ('abc')", "Value too long")):
        app = RedshiftDataApp(events, tmp_path / "kept.duckdb", no_s3)
        with served(app) as url:
            done = run(client("redshift-data", url), sql)
        app.close()
        assert (error is None) == (done["Status"] == "FINISHED")
        assert error is None or error in done["Error"]
