"""The Redshift Data API over SQLite: runs Tidemark's statements in transactions, at times drawn from the seed."""

from __future__ import annotations

import json
import re
import sqlite3
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.faults import Faults, refuse
from tests.simulation.job import DataStore, Row
from tests.simulation.s3 import SimS3
from tests.simulation.stage import Stage
from tidemark.core.files import split_uri

COPY = re.compile(r"COPY (\S+) FROM '([^']+)' IAM_ROLE '[^']+' FORMAT AS PARQUET MANIFEST")
USING = re.compile(r'DELETE FROM ("\w+") USING (\S+) AS (\w+) WHERE \1\.("\w+") = \3\.("?\w+"?)')
LAYOUT = re.compile(r"\)\s*(DISTSTYLE|DISTKEY|SORTKEY)\b.*$")
TEMP = re.compile(r"CREATE TEMP TABLE (\S+)")
VARCHAR = re.compile(r"VARCHAR\((\d+)\)")
REPLACED = re.compile(r"CREATE OR REPLACE VIEW (\S+)")
PRIVILEGES = "namespace_name, relation_name, privilege_type, identity_name, identity_type, admin_option"
IGNORED = re.compile(r"LOCK tidemark\.load_history(_\w)?|CREATE SCHEMA IF NOT EXISTS tidemark|GRANT .*")


CONFLICT = "ERROR: 1023 DETAIL: Serializable isolation violation on table in Redshift"


class Forgotten(ClientError):
    """ResourceNotFoundException, as in `client.exceptions`."""


@dataclass
class SimStatement:
    statement_id: str
    name: str
    sqls: list[str]
    state: str = "SUBMITTED"
    error: str = ""
    rows: list[Row] = field(default_factory=list)
    forgotten: bool = False


class SimRedshift:
    exceptions = SimpleNamespace(ResourceNotFoundException=Forgotten)

    def __init__(
        self, call: Callable[..., Any], stage: Stage, faults: Faults, s3: SimS3, data: DataStore,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:  # fmt: skip
        self.call, self.stage, self.faults, self.s3, self.data, self.tell = call, stage, faults, s3, data, tell
        self.statements: list[SimStatement] = []
        self.tokens: dict[str, tuple[SimStatement, datetime]] = {}
        self.down_until = stage.time
        self.own_tokens = 0  # client tokens that boto3 has generated
        self.changes = 0  # committed transactions
        self.shorted: set[tuple[str, int]] = set()  # (batch, attempt) for which a COPY has left a row out
        self.longest = 60.0  # seconds; the most that a statement takes without faults
        self.database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.database.execute("ATTACH ':memory:' AS tidemark")
        self.database.execute(f"CREATE TABLE svv_relation_privileges ({PRIVILEGES})")
        # The garbage collector cannot see SQLite's reference to a function: a strong one would keep seeds in memory.
        clock = weakref.ref(stage)
        self.database.create_function("GETDATE", 0, lambda: str(clock().time))  # type: ignore[union-attr]

    # ── operations ──────────────────────────────────────────────────────────────────────────────────────────

    def batch_execute_statement(self, Sqls: list[str], StatementName: str, ClientToken: str = "", **_: Any) -> Any:  # noqa: N803
        assert len(Sqls) <= 40
        assert len(ClientToken) <= 64
        assert all(len(sql) <= 100_000 for sql in Sqls)

        self.own_tokens += 1  # counted before a pause, so that no two calls share one
        token = ClientToken or f"boto3's own {self.own_tokens}"

        def effect() -> dict[str, Any]:
            if self.stage.time < self.down_until:
                raise refuse("InternalServerException", "BatchExecuteStatement", "the workgroup is not available")
            return {"Id": self._submit(Sqls, StatementName, token).statement_id}

        return self.call("redshift.BatchExecuteStatement", effect)

    def execute_statement(self, Sql: str, **_: Any) -> Any:  # noqa: N803
        return self.batch_execute_statement([Sql], "")

    def list_statements(self, StatementName: str, MaxResults: int, NextToken: str = "0", **_: Any) -> Any:  # noqa: N803
        def effect() -> dict[str, Any]:
            found = [
                one for one in reversed(self.statements) if one.name.startswith(StatementName) and not one.forgotten
            ]
            start, size = int(NextToken), min(MaxResults, 2)
            listed = [{"Id": one.statement_id, "StatementName": one.name} for one in found[start : start + size]]
            return {"Statements": listed, "NextToken": str(start + size) if start + size < len(found) else ""}

        return self.call("redshift.ListStatements", effect)

    def describe_statement(self, Id: str) -> Any:  # noqa: N803
        def effect() -> dict[str, Any]:
            found = self._statement(Id)
            parts = [{"Id": f"{Id}:{number}"} for number in range(1, len(found.sqls) + 1)]
            answer = {"Id": Id, "StatementName": found.name, "Status": found.state, "SubStatements": parts}
            return answer | ({"Error": found.error} if found.error else {})

        return self.call("redshift.DescribeStatement", effect)

    def get_statement_result(self, Id: str, NextToken: str = "0") -> Any:  # noqa: N803
        def effect() -> dict[str, Any]:
            found, start = self._statement(Id.partition(":")[0]), int(NextToken)
            if self.faults.chance("result_expired"):
                found.forgotten = True
                raise Forgotten({"Error": {"Code": "ResourceNotFoundException"}}, "GetStatementResult")
            rows = found.rows
            records = [[_field(value) for value in row] for row in rows[start : start + 20]]
            return {"Records": records, "NextToken": str(start + 20) if start + 20 < len(rows) else ""}

        return self.call("redshift.GetStatementResult", effect)

    def make(self, statements: list[str]) -> None:
        """Run DDL from before the story begins."""
        for sql in statements:
            self._one(sql)

    # ── how they work ───────────────────────────────────────────────────────────────────────────────────────

    def _submit(self, sqls: list[str], name: str, token: str) -> SimStatement:
        known, until = self.tokens.get(token, (None, self.stage.time))
        if known and self.stage.time < until and not known.forgotten:
            return known
        if known:
            self.faults.count("second_statement_of_a_load")
        made = SimStatement(f"statement{len(self.statements):05d}", name, sqls)
        self.statements.append(made)
        minutes = self.faults.rng.uniform(1, 20) if self.faults.chance("token_forgotten") else 480
        self.tokens[token] = (made, self.stage.time + timedelta(minutes=minutes))
        hit = self._is_exposed(name)
        seconds = self.faults.rng.uniform(0.5, self.longest if hit else min(5.0, self.longest))
        if hit and self.faults.chance("load_late"):
            seconds += self.faults.rng.uniform(600, 2400)
        self.stage.after(seconds, f"statement {name}", lambda: self._execute(made))
        made.forgotten = self.faults.chance("statement_forgotten")
        return made

    def _execute(self, statement: SimStatement) -> None:
        """Run one transaction at a time, as the lock enforces."""
        failed = self._is_exposed(statement.name) and self.faults.chance("load_failed")
        if failed or self.stage.time < self.down_until:
            statement.state, statement.error = "FAILED", "connection to the workgroup was lost"
        elif self._is_load(statement.name) and self.faults.chance("load_conflict"):
            statement.state, statement.error = "FAILED", CONFLICT
        else:
            self._transaction(statement)
        name, state = statement.name, statement.state
        detail = {"statementName": name, "statementId": statement.statement_id, "state": state}
        self.tell(
            {"source": "aws.redshift-data", "detail-type": "Redshift Data Statement Status Change", "detail": detail}
        )

    def _is_exposed(self, name: str) -> bool:
        """Whether faults apply: to all loads, but to one in four table creations, or most loads would wait for them."""
        return self._is_load(name) or self.faults.rng.random() < 0.25

    @staticmethod
    def _is_load(name: str) -> bool:
        return name.startswith("tide.load.")

    def _transaction(self, statement: SimStatement) -> None:
        temporary: list[str] = []
        self.database.execute("BEGIN")
        try:
            for sql in statement.sqls:
                temporary += TEMP.findall(sql)
                statement.rows = self._one(sql)
        except (sqlite3.Error, ValueError) as error:
            self.database.execute("ROLLBACK")
            words = re.sub(r"no such table: (\S+)", r'relation "\1" does not exist', str(error))
            words = words.replace("duplicate column name", "column already exists")
            statement.state, statement.error = "FAILED", f"ERROR: {words}"
            return
        for table in temporary:
            self.database.execute(f"DROP TABLE temp.{table}")
        self.database.execute("COMMIT")
        statement.state = "FINISHED"
        self.changes += 1

    def _one(self, sql: str) -> list[Row]:
        if IGNORED.fullmatch(sql):
            return []
        if copied := COPY.fullmatch(sql):
            self._copy(*copied.groups())
            return []
        sql = USING.sub(r"DELETE FROM \1 WHERE \4 IN (SELECT \5 FROM \2)", sql)
        if sql.startswith("CREATE TABLE"):
            sql = LAYOUT.sub(")", sql)
        if view := REPLACED.match(sql):
            self.database.execute(f"DROP VIEW IF EXISTS {view[1]}")
            sql = REPLACED.sub(r"CREATE VIEW \1", sql)
        return self.database.execute(sql).fetchall()

    def _copy(self, table: str, manifest: str) -> None:
        """Maps columns by position, copies each entry's file, and checks exact sizes and the lengths of strings."""
        columns = [(name, VARCHAR.fullmatch(kind)) for _, name, kind, *_ in self._one(f"PRAGMA table_info({table})")]
        names = [name for name, _ in columns]
        longest = [(at, name, int(found[1])) for at, (name, found) in enumerate(columns) if found]
        for entry in json.loads(self.s3.objects[split_uri(manifest)])["entries"]:
            if entry["url"] not in self.data.files:
                raise ValueError(f"S3ServiceException:NoSuchKey, mandatory file {entry['url']}")
            size, rows = self.data.files[entry["url"]]
            if entry["url"] in self.data.gone:
                raise ValueError(f"S3ServiceException: The specified key does not exist: {entry['url']}")
            if entry["meta"]["content_length"] != size:
                raise ValueError(f"Spectrum Scan Error: content_length of {entry['url']}")
            for at, name, most in longest:
                if any(row[at] is not None and len(row[at]) > most for row in rows):
                    raise ValueError(
                        f"Spectrum Scan Error code 15001: the length of the data column {name} is longer than allowed"
                    )
            if self.faults.chance("copy_short"):
                *rows, lost = rows
                self.shorted.add((lost[names.index("_batch_id")], lost[names.index("_attempt")]))
            self.database.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(columns))})", rows)

    def _statement(self, statement_id: str) -> SimStatement:
        found = next((one for one in self.statements if one.statement_id == statement_id), None)
        if found is None or found.forgotten:
            raise Forgotten({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "DescribeStatement")
        return found

    def read(self, sql: str) -> list[Row]:
        """The rows that a reader of the warehouse sees; none if the table does not exist yet."""
        try:
            return self.database.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []


def _field(value: Any) -> dict[str, Any]:
    return {"longValue": value} if isinstance(value, int) else {"stringValue": value}
