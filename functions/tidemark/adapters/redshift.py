"""Statements in Redshift by the Data API: asynchronous, and found by name (docs/aws-facts.md#redshift-data-api)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tidemark.core.errors import Terminal, Transient

ENDED = frozenset({"FINISHED", "FAILED", "ABORTED"})
WAIT_SECONDS_MAX = 240  # a sleeping workgroup takes tens of seconds to wake


@dataclass(frozen=True)
class Statement:
    statement_id: str
    name: str
    state: str
    error: str
    last_part: str  # id of the last statement of the batch, whose rows can be read

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in ENDED


class Warehouse:
    def __init__(self, client: Any, workgroup: str, database: str) -> None:
        self.client = client
        self.target = {"WorkgroupName": workgroup, "Database": database}

    def start(self, name: str, statements: Sequence[str]) -> str:
        """Begin one transaction of at most 40 statements; the same name within 8 h is the same transaction."""
        request = {**self.target, "Sqls": list(statements), "StatementName": name, "ClientToken": name}
        try:
            return str(self.client.batch_execute_statement(**request, WithEvent=True)["Id"])
        except ClientError as error:
            # One load that cannot be sent must not stand in the way of the others.
            kind = Terminal if error.response["Error"]["Code"] == "ValidationException" else Transient
            raise kind(str(error)) from error

    def find(self, name: str) -> str | None:
        """The latest statement of exactly that name (the service matches prefixes), within its day of history."""
        request: dict[str, Any] = {**self.target, "StatementName": name, "Status": "ALL", "MaxResults": 100}
        while True:
            page = self.client.list_statements(**request)
            for found in page["Statements"]:
                if found.get("StatementName") == name:
                    return str(found["Id"])
            if not page.get("NextToken"):
                return None
            request["NextToken"] = page["NextToken"]

    def statement(self, statement_id: str) -> Statement | None:
        """How a statement is; None when the service has forgotten it."""
        try:
            found = self.client.describe_statement(Id=statement_id)
        except self.client.exceptions.ResourceNotFoundException:
            return None
        parts = found.get("SubStatements") or [{}]
        return Statement(
            statement_id,
            found.get("StatementName", ""),
            found["Status"],
            found.get("Error", ""),
            parts[-1].get("Id", statement_id),
        )

    def rows(self, statement_id: str) -> list[tuple[Any, ...]]:
        """The result of a statement, all pages."""
        rows: list[tuple[Any, ...]] = []
        request: dict[str, Any] = {"Id": statement_id}
        while True:
            page = self.client.get_statement_result(**request)
            rows += [tuple(_value(field) for field in record) for record in page["Records"]]
            if not page.get("NextToken"):
                return rows
            request["NextToken"] = page["NextToken"]

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement, wait for its end, and return its rows."""
        found = self._wait(str(self.client.execute_statement(**self.target, Sql=sql)["Id"]))
        if found.state != "FINISHED":
            raise Terminal(f"the warehouse refused the query: {found.error or found.state}")
        return self.rows(found.statement_id)

    def apply(self, name: str, statements: Sequence[str]) -> None:
        """Run DDL in one transaction and wait for its end; what is there already is fine.

        Raises `Transient` when it does not end in time, `Terminal` with the warehouse's words when it fails.
        """
        # No token of ours: after a failure the same DDL must be tried anew, not answered from memory.
        request = {**self.target, "Sqls": list(statements), "StatementName": name}
        found = self._wait(str(self.client.batch_execute_statement(**request)["Id"]))
        if found.state != "FINISHED" and "already exists" not in found.error:
            raise Terminal(f"the warehouse refused {name}: {found.error or found.state}")

    def _wait(self, statement_id: str) -> Statement:
        pause = 0.05
        waited = 0.0
        while waited < WAIT_SECONDS_MAX:
            found = self.statement(statement_id)
            if found and found.ended:
                return found
            time.sleep(pause)
            waited, pause = waited + pause, min(2.0, pause * 1.5)
        raise Transient(f"the warehouse has not ended {statement_id} after {WAIT_SECONDS_MAX} s")


def _value(field: dict[str, Any]) -> Any:
    """One field of a result; None for a null."""
    return None if field.get("isNull") else next(iter(field.values()))
