"""A statement of the local Redshift Data API, and its form in the API's answers and in events."""

import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from local.account import ACCOUNT, REGION
from local.endpoint.protocol import ApiError, Call
from local.redshift.session import Rows, fields, type_name

FINAL: Final = ("FINISHED", "FAILED", "ABORTED")
DAY: Final = 24 * 3600
ROWS_PER_PAGE: Final = 1000


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Part:
    """One SQL text of a statement; a batch has several."""

    number: int  # from 0
    sql: str
    created_at: datetime
    updated_at: datetime
    status: str = "SUBMITTED"
    error: str | None = None
    nanoseconds: int = 0
    count: int = -1
    rows: Rows | None = None


@dataclass(frozen=True)
class Statement:
    id: str
    request: Mapping[str, Any]  # parameters of (Batch)ExecuteStatement without the token
    principal: str
    is_batch: bool
    parts: tuple[Part, ...]
    created_at: datetime
    updated_at: datetime
    status: str = "SUBMITTED"
    error: str | None = None
    nanoseconds: int = 0
    aborted: threading.Event = field(default_factory=threading.Event, compare=False)

    @classmethod
    def of(cls, statement_id: str, request: Mapping[str, Any], principal: str, *, is_batch: bool) -> Self:
        """A newly submitted statement."""
        time = now()
        sqls = request["Sqls"] if is_batch else [request["Sql"]]
        parts = tuple(Part(number, sql, time, time) for number, sql in enumerate(sqls))
        return cls(statement_id, request, principal, is_batch, parts, time, time)

    @property
    def mode(self) -> str:
        return str(self.request.get("ExecutionMode", "TRANSACTION"))

    @property
    def name(self) -> str:
        return str(self.request.get("StatementName", ""))

    @property
    def values(self) -> dict[str, str]:
        return {parameter["name"]: parameter["value"] for parameter in self.request.get("Parameters", [])}

    @property
    def has_rows(self) -> bool:
        return any(part.rows is not None for part in self.parts)

    @property
    def count(self) -> int:
        """The number of rows of the last part; -1 before it has run."""
        return self.parts[-1].count

    @property
    def query_id(self) -> int:
        return zlib.crc32(self.id.encode()) if self.status in FINAL and not self.is_batch else -1

    def matches(self, request: Mapping[str, Any]) -> bool:
        """Whether ListStatements includes this statement; names match by prefix, and status ALL matches all."""
        same = all(
            self.request.get(k) == request[k]
            for k in ("Database", "WorkgroupName", "ClusterIdentifier")
            if k in request
        )
        status = request.get("Status", "FINISHED")
        return same and self.name.startswith(request.get("StatementName", "")) and status in ("ALL", self.status)


def as_description(statement: Statement) -> dict[str, Any]:
    """The answer of DescribeStatement."""
    request = statement.request
    copied = ("Database", "WorkgroupName", "ClusterIdentifier", "SecretArn", "DbUser")
    answer = {key: request[key] for key in copied if key in request} | {
        "Id": statement.id,
        "Status": statement.status,
        "Error": statement.error,
        "CreatedAt": statement.created_at,
        "UpdatedAt": statement.updated_at,
        "Duration": statement.nanoseconds if statement.status in FINAL else -1,
        "HasResultSet": statement.has_rows,
        "ResultRows": statement.count,
        "ResultSize": size_of(statement.parts[-1]),
        "RedshiftPid": zlib.crc32(statement.id.encode()) % 2**30,
        "RedshiftQueryId": statement.query_id,
        "QueryParameters": request.get("Parameters"),
        "ResultFormat": "JSON",
    }
    if not statement.is_batch:
        return answer | {"QueryString": request["Sql"]}
    parts = [_part(statement, part) for part in statement.parts]
    return answer | {"SubStatements": parts, "ExecutionMode": statement.mode}


def _part(statement: Statement, part: Part) -> dict[str, Any]:
    return {
        "Id": f"{statement.id}:{part.number + 1}",
        "Status": part.status,
        "Error": part.error,
        "CreatedAt": part.created_at,
        "UpdatedAt": part.updated_at,
        "Duration": part.nanoseconds if part.status in FINAL else -1,
        "HasResultSet": part.rows is not None,
        "QueryString": part.sql,
        "ResultRows": part.count,
        "ResultSize": size_of(part),
        "RedshiftQueryId": -1,
    }


def size_of(part: Part) -> int:
    """The approximate size in bytes of a part's result, as AWS counts it; -1 without a result."""
    return sum(len(str(value)) for row in part.rows.rows for value in row) if part.rows else -1


def as_summary(statement: Statement) -> dict[str, Any]:
    """The StatementData of ListStatements."""
    sqls = (
        {"QueryStrings": [p.sql for p in statement.parts]}
        if statement.is_batch
        else {"QueryString": statement.parts[0].sql}
    )
    return sqls | {
        "Id": statement.id,
        "Status": statement.status,
        "StatementName": statement.name,
        "CreatedAt": statement.created_at,
        "UpdatedAt": statement.updated_at,
        "QueryParameters": statement.request.get("Parameters"),
        "IsBatchStatement": statement.is_batch,
        "SecretArn": statement.request.get("SecretArn"),
        "ResultFormat": "JSON",
    }


def result_page(statement: Statement, call: Call) -> dict[str, Any]:
    """One page of GetStatementResult for a statement, or for one part of a batch (`id:n`)."""
    _, _, number = call.parameters["Id"].partition(":")
    if statement.is_batch and not number:
        raise ApiError(
            "ValidationException", "A batch statement has no result of its own; use the Ids of its sub-statements."
        )
    position = int(number or 1) - 1
    if not 0 <= position < len(statement.parts):
        raise ApiError("ResourceNotFoundException", "Query does not exist.", ResourceId=call.parameters["Id"])
    part = statement.parts[position]
    if statement.status != "FINISHED" or part.rows is None:
        words = "Query does not have result. Please check query status with DescribeStatement."
        raise ApiError("ResourceNotFoundException", words, ResourceId=call.parameters["Id"])
    return _records(part.rows, call.parameters.get("NextToken"))


def _records(rows: Rows, token: str | None) -> dict[str, Any]:
    first = int(token) if token and token.isdigit() else 0
    last = first + ROWS_PER_PAGE
    shown = Rows(rows.names, rows.types, rows.rows[first:last])
    more = {"NextToken": str(last)} if last < len(rows.rows) else {}
    columns = [_column(name, kind) for name, kind in zip(rows.names, rows.types, strict=True)]
    return {"Records": fields(shown), "ColumnMetadata": columns, "TotalNumRows": len(rows.rows)} | more


def _column(name: str, kind: str) -> dict[str, Any]:
    type_, precision, scale = type_name(kind)
    is_text = type_ == "varchar"
    return {
        "name": name,
        "label": name,
        "typeName": type_,
        "precision": precision,
        "scale": scale,
        "length": 0,
        "nullable": 1,
        "isCaseSensitive": is_text,
        "isCurrency": False,
        "isSigned": type_ in ("int2", "int4", "int8", "numeric", "float4", "float8"),
        "schemaName": "",
        "tableName": "",
    }


def event_detail(statement: Statement) -> dict[str, Any]:
    """The detail of "Redshift Data Statement Status Change"."""
    return {
        "principal": statement.principal,
        "statementName": statement.name,
        "statementId": statement.id,
        "redshiftQueryId": statement.query_id,
        "state": statement.status,
        "rows": statement.count,
        "expireAt": int(statement.created_at.timestamp()) + DAY,
    }


def resource(statement: Statement) -> str:
    """The ARN of the workgroup or cluster that ran the statement."""
    workgroup = statement.request.get("WorkgroupName")
    if workgroup:
        return f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:workgroup/{workgroup}"
    return f"arn:aws:redshift:{REGION}:{ACCOUNT}:cluster:{statement.request['ClusterIdentifier']}"
