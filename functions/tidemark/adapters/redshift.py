"""Statements in Redshift by the Data API: asynchronous, and found by name (docs/aws-facts.md#redshift-data-api)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tidemark.core.errors import Terminal, Transient
from tidemark.core.naming import statement_name

ENDED = frozenset({"FINISHED", "FAILED", "ABORTED"})
WAIT_SECONDS_MAX = 240  # a sleeping workgroup takes tens of seconds to wake


@dataclass(frozen=True)
class Statement:
    statement_id: str
    name: str
    state: str
    error: str
    last_part: str  # id of the last SQL statement in it, which has the result rows

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ENDED


@dataclass(frozen=True)
class Connection:
    """The warehouse of the Data API's calls: a workgroup or a provisioned cluster, and as which user.

    Without user and secret, statements run as the database user of the caller's role. See
    docs/aws-facts.md#redshift-data-api.
    """

    database: str
    workgroup: str = ""
    cluster: str = ""
    user: str = ""  # a cluster's only
    secret_arn: str = ""

    @property
    def place(self) -> dict[str, str]:
        """The parameters that name the warehouse; ListStatements takes no others."""
        return _given(WorkgroupName=self.workgroup, ClusterIdentifier=self.cluster, Database=self.database)

    @property
    def is_of_stack(self) -> bool:
        """Whether the stack made the warehouse. An existing workgroup is given by its ARN."""
        return bool(self.workgroup) and not self.workgroup.startswith("arn:")

    @property
    def target(self) -> dict[str, str]:
        """The parameters of a call that runs statements."""
        return self.place | _given(DbUser=self.user, SecretArn=self.secret_arn)


def _given(**parameters: str) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value}


class Warehouse:
    def __init__(self, client: Any, connection: Connection, stack: str) -> None:
        self.client = client
        self.connection = connection
        self.target = connection.target
        self.stack = stack

    def with_secret(self, secret_arn: str) -> Warehouse:
        """Returns the same warehouse for statements of the database user whose password the secret has."""
        other = copy(self)
        other.target = {**self.target, "SecretArn": secret_arn}
        return other

    def start(self, name: str, statements: Sequence[str]) -> str:
        """Starts one transaction of at most 40 statements and returns its id.

        `name` is also the client token: within 8 hours, the same name means the same transaction. Raises `Terminal`
        for statements that the service refuses, `Transient` for any other error.
        """
        named = {"StatementName": statement_name(self.stack, name), "ClientToken": name}
        request = {**self.target, "Sqls": list(statements), **named}
        try:
            return str(self.client.batch_execute_statement(**request, WithEvent=True)["Id"])
        except ClientError as error:
            # Callers handle these two errors per load, so that one bad load does not block the others.
            kind = Terminal if error.response["Error"]["Code"] == "ValidationException" else Transient
            raise kind(str(error)) from error

    def find(self, name: str) -> str | None:
        """Returns the id of the latest statement started by that name within the last day; None without one.

        The service matches prefixes of names, so other names are skipped.
        """
        full = statement_name(self.stack, name)
        request: dict[str, Any] = {
            **self.connection.place, "StatementName": full, "Status": "ALL", "MaxResults": 100
        }  # fmt: skip
        while True:
            page = self.client.list_statements(**request)
            for listed in page["Statements"]:
                if listed.get("StatementName") == full:
                    return str(listed["Id"])
            if not page.get("NextToken"):
                return None
            request["NextToken"] = page["NextToken"]

    def statement(self, statement_id: str) -> Statement | None:
        """Returns the present state of a statement; None when the service no longer knows it."""
        try:
            description = self.client.describe_statement(Id=statement_id)
        except self.client.exceptions.ResourceNotFoundException:
            return None
        parts = description.get("SubStatements") or [{}]
        return Statement(
            statement_id,
            description.get("StatementName", ""),
            description["Status"],
            description.get("Error", ""),
            parts[-1].get("Id", statement_id),
        )

    def rows(self, statement_id: str) -> list[tuple[Any, ...]]:
        """Returns all result rows of a statement."""
        rows: list[tuple[Any, ...]] = []
        request: dict[str, Any] = {"Id": statement_id}
        while True:
            page = self.client.get_statement_result(**request)
            rows += [tuple(_value(field) for field in record) for record in page["Records"]]
            if not page.get("NextToken"):
                return rows
            request["NextToken"] = page["NextToken"]

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs one statement, waits for its end, and returns its rows.

        Raises `Transient` when it does not end in time, `Terminal` with the warehouse's message when it fails.
        """
        statement = self._wait(str(self.client.execute_statement(**self.target, Sql=sql)["Id"]))
        if statement.state != "FINISHED":
            raise Terminal(f"the warehouse refused the query: {statement.error or statement.state}")
        return self.rows(statement.statement_id)

    def relations(self, schema: str) -> set[str]:
        """Returns the names of all tables and views in the schema that the caller's database user may see."""
        names: set[str] = set()
        request: dict[str, Any] = {**self.target, "SchemaPattern": schema}
        while True:
            page = self.client.list_tables(**request)
            names |= {str(table["name"]) for table in page["Tables"]}
            if not page.get("NextToken"):
                return names
            request["NextToken"] = page["NextToken"]

    def transact(self, name: str, statements: Sequence[str]) -> list[tuple[Any, ...]]:
        """Runs one transaction, waits for its end, and returns the rows of its last statement.

        Raises `Transient` when it does not end in time, `Terminal` with the warehouse's message when it fails.
        """
        statement = self._wait(self.start(name, statements))
        if statement.state != "FINISHED":
            raise Terminal(f"the warehouse refused {name}: {statement.error or statement.state}")
        return self.rows(statement.last_part)

    def apply(self, name: str, statements: Sequence[str]) -> None:
        """Runs DDL in one transaction and waits for its end; a relation that exists already is no error.

        Raises `Transient` when it does not end in time, `Terminal` with the warehouse's message when it fails.
        """
        # Without a client token: the service would answer a repetition with the failed statement.
        request = {**self.target, "Sqls": list(statements), "StatementName": name}
        statement = self._wait(str(self.client.batch_execute_statement(**request)["Id"]))
        if statement.state != "FINISHED" and "already exists" not in statement.error:
            raise Terminal(f"the warehouse refused {name}: {statement.error or statement.state}")

    def _wait(self, statement_id: str) -> Statement:
        pause = 0.05
        waited = 0.0
        while waited < WAIT_SECONDS_MAX:
            statement = self.statement(statement_id)
            if statement and statement.ended:
                return statement
            time.sleep(pause)
            waited, pause = waited + pause, min(2.0, pause * 1.5)
        raise Transient(f"the warehouse has not ended {statement_id} after {WAIT_SECONDS_MAX} s")


def _value(field: dict[str, Any]) -> Any:
    """Returns the value of one field of a result; None for NULL."""
    return None if field.get("isNull") else next(iter(field.values()))
