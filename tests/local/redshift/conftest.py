"""A warehouse and its Data API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.redshift.data_api import RedshiftDataApp
from local.redshift.grants import ADMIN, CreateUser, GrantCreate
from local.redshift.session import Session, Warehouse
from tests.local.stand_ins import Events, client, served

SUBMITTER = "IAMR:SubmitRole"  #: the user of the role as which the tests' clients sign
WHERE = {"WorkgroupName": "warehouse", "Database": "dev"}


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def app(events: Events, tmp_path: Path) -> Iterator[RedshiftDataApp]:
    app = RedshiftDataApp(events, tmp_path / "warehouse.duckdb", s3=no_s3)
    for statement in (CreateUser(SUBMITTER), GrantCreate("dev", SUBMITTER)):
        app.warehouse.grants.administer(ADMIN, statement)
    yield app
    app.close()


@pytest.fixture
def redshift(app: RedshiftDataApp) -> Iterator[Any]:
    with served(app) as url:
        yield client("redshift-data", url)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", s3=lambda _: None)
    session = warehouse.session()
    yield session
    session.close()
    warehouse.close()


def no_s3(_: str) -> Any:
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
