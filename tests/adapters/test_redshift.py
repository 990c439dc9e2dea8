"""Statements in Redshift, with a client that answers by a script."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

import tidemark.adapters.redshift as redshift_module
from tidemark.adapters.redshift import WAIT_SECONDS_MAX, Connection, Statement, Warehouse
from tidemark.core.errors import Terminal, Transient


class Gone(Exception):
    """What the client raises for an unknown statement."""


def warehouse(**operations: Any) -> Warehouse:
    exceptions = SimpleNamespace(ResourceNotFoundException=Gone)
    return Warehouse(SimpleNamespace(exceptions=exceptions, **operations), Connection("dev", workgroup="group"), "tide")


def ended(state: str, error: str = "") -> Any:
    return lambda Id: {"Status": state, "Error": error, "StatementName": "n"}  # noqa: N803


def test_a_transaction_is_named_and_sent_once() -> None:
    """Its name is its token, so the service itself refuses to run it twice."""
    asked: list[dict[str, Any]] = []
    made = warehouse(batch_execute_statement=lambda **request: asked.append(request) or {"Id": "s1"})
    assert made.start("load.1", ("A", "B")) == "s1"
    assert asked == [
        {"WorkgroupName": "group", "Database": "dev", "Sqls": ["A", "B"], "StatementName": "tide.load.1",
         "ClientToken": "load.1", "WithEvent": True}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("connection", "place", "credentials"),
    [
        (Connection("dev", workgroup="group"), {"WorkgroupName": "group"}, {}),
        (Connection("dev", workgroup="group", secret_arn="arn:s"), {"WorkgroupName": "group"}, {"SecretArn": "arn:s"}),
        (Connection("dev", cluster="big"), {"ClusterIdentifier": "big"}, {}),
        (Connection("dev", cluster="big", user="loader"), {"ClusterIdentifier": "big"}, {"DbUser": "loader"}),
        (Connection("dev", cluster="big", secret_arn="arn:s"), {"ClusterIdentifier": "big"}, {"SecretArn": "arn:s"}),
    ],
)
def test_every_call_names_the_warehouse_and_only_statements_name_the_user(
    connection: Connection, place: dict[str, str], credentials: dict[str, str]
) -> None:
    """A workgroup or a cluster; ListStatements knows neither user nor secret. botocore checks the parameters."""
    client = boto3.client("redshift-data", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as service:
        target = {"Database": "dev", **place, **credentials}
        sent = {"Sqls": ["A"], "StatementName": "tide.load.1", "ClientToken": "load.1", "WithEvent": True}
        service.add_response("batch_execute_statement", {"Id": "s1"}, target | sent)
        listing = {"StatementName": "tide.load.1", "Status": "ALL", "MaxResults": 100}
        service.add_response("list_statements", {"Statements": []}, {"Database": "dev", **place} | listing)
        warehouse = Warehouse(client, connection, "tide")
        assert (warehouse.start("load.1", ["A"]), warehouse.find("load.1")) == ("s1", None)


@pytest.mark.parametrize(("code", "kind"), [("ValidationException", Terminal), ("ThrottlingException", Transient)])
def test_a_load_that_cannot_be_sent_says_whether_to_try_again(code: str, kind: type[Exception]) -> None:
    """What is not valid never will be."""

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "BatchExecuteStatement")

    with pytest.raises(kind, match=code):
        warehouse(batch_execute_statement=refuse).start("load.1", ["A"])


def test_a_statement_is_found_by_its_whole_name_on_any_page() -> None:
    """The service matches prefixes."""
    pages = {
        None: {"Statements": [{"Id": "s3", "StatementName": "tide.load.12"}, {"Id": "s2"}], "NextToken": "2"},
        "2": {"Statements": [{"Id": "s1", "StatementName": "tide.load.1"}]},
    }
    made = warehouse(list_statements=lambda **request: pages[request.get("NextToken")])
    assert made.find("load.1") == "s1"
    assert made.find("load.") is None


def test_a_statement_says_how_it_is() -> None:
    """The rows are those of its last part; a single statement is its own last part, an unknown one is none."""
    parts = {"Status": "FINISHED", "StatementName": "load.1", "SubStatements": [{"Id": "s1:1"}, {"Id": "s1:2"}]}
    made = warehouse(describe_statement=lambda Id: parts)  # noqa: N803
    assert made.statement("s1") == Statement("s1", "load.1", "FINISHED", "", "s1:2")
    alone = warehouse(describe_statement=ended("STARTED")).statement("s1")
    assert alone
    assert (alone.last_part, alone.ended) == ("s1", False)

    def unknown(Id: str) -> None:  # noqa: N803
        raise Gone

    assert warehouse(describe_statement=unknown).statement("s1") is None


def test_rows_come_from_all_pages_in_their_types() -> None:
    """A null is None."""
    pages = {
        None: {"Records": [[{"longValue": 1}, {"stringValue": "a"}]], "NextToken": "2"},
        "2": {"Records": [[{"longValue": 2}, {"isNull": True}]]},
    }
    made = warehouse(get_statement_result=lambda **request: pages[request.get("NextToken")])
    assert made.rows("s1") == [(1, "a"), (2, None)]


def test_a_query_that_fails_says_why() -> None:
    """In the warehouse's words, or by its state where it has none."""
    for state, error, words in (("FAILED", "syntax error", "syntax error"), ("ABORTED", "", "ABORTED")):
        made = warehouse(execute_statement=lambda **_: {"Id": "s1"}, describe_statement=ended(state, error))
        with pytest.raises(Terminal, match=f"the warehouse refused the query: {words}"):
            made.read("SELECT 1")


def test_a_table_that_is_there_already_is_no_failure() -> None:
    """Two loads may make the same one; any other failure counts."""
    requests: list[dict[str, Any]] = []
    send = {"batch_execute_statement": lambda **request: requests.append(request) or {"Id": "s1"}}
    warehouse(**send, describe_statement=ended("FAILED", 'relation "x" already exists')).apply("ddl", ["CREATE"])
    with pytest.raises(Terminal, match="the warehouse refused ddl: permission denied"):
        warehouse(**send, describe_statement=ended("FAILED", "permission denied")).apply("ddl", ["CREATE"])
    assert ["ClientToken" in request for request in requests] == [False, False]


def test_a_warehouse_that_does_not_answer_is_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waiting ends, and its pauses grow to two seconds."""
    pauses: list[float] = []
    monkeypatch.setattr(redshift_module, "time", SimpleNamespace(sleep=pauses.append))
    made = warehouse(execute_statement=lambda **_: {"Id": "s1"}, describe_statement=ended("STARTED"))
    with pytest.raises(Transient, match=f"has not ended s1 after {WAIT_SECONDS_MAX} s"):
        made.read("SELECT 1")
    assert WAIT_SECONDS_MAX <= sum(pauses) < WAIT_SECONDS_MAX + 2
    assert max(pauses) == 2.0


def test_a_secret_is_another_user_of_the_same_warehouse() -> None:
    """Every statement names it; the warehouse that it was made from stays as it was."""
    asked: list[dict[str, Any]] = []
    own = warehouse(batch_execute_statement=lambda **request: asked.append(request) or {"Id": "s1"})
    own.with_secret("arn:secret").start("a", ["A"])
    own.start("b", ["B"])
    assert [request.get("SecretArn") for request in asked] == ["arn:secret", None]
    assert {request["WorkgroupName"] for request in asked} == {"group"}
