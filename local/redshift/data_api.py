"""The Redshift Data API on the laptop, with AWS's requests, states, limits and events; DuckDB executes the SQL."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from local.endpoint.protocol import ApiError, Call, application
from local.redshift.catalog import catalog_handlers
from local.redshift.copy_parquet import S3
from local.redshift.grants import user_of
from local.redshift.locks import locked_first
from local.redshift.plans import Nothing, Plan, Query, Truncate
from local.redshift.session import Session, Warehouse
from local.redshift.statements import (
    FINAL,
    Part,
    Statement,
    as_description,
    as_summary,
    event_detail,
    now,
    resource,
    result_page,
)
from local.redshift.tables import SqlError
from local.redshift.translate import translate, used_parameters

SERVICE: Final = "redshift-data"
LONGEST_SQL: Final = 100 * 1024  # bytes, of one statement or of a whole batch
MOST_ACTIVE: Final = 500
TOKEN_SECONDS: Final = 8 * 3600.0
Emit = Callable[[str, str, dict[str, Any], list[str]], None]


class RedshiftDataApp:
    """WSGI app over one DuckDB file. `emit(source, detail type, detail, resources)` receives the events.

    The file serves every Database name of the workgroup. `s3` creates the client with which COPY reads, from the ARN of
    its role. Tables are persistent; statements are lost with the process (AWS keeps them for a day).
    """

    def __init__(
        self,
        emit: Emit,
        database: Path,
        s3: S3,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emit, self._clock = emit, clock
        self.warehouse = Warehouse(database, s3)
        self._statements: dict[str, Statement] = {}
        self._sessions: dict[str, Session] = {}
        self._tokens: dict[str, tuple[float, dict[str, Any], str]] = {}
        self._changed = threading.Condition()
        self._wsgi = application(SERVICE, self._handlers() | catalog_handlers(self.warehouse))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self._wsgi(environ, start_response)

    def forget_client_tokens(self) -> None:
        """Simulates the expiry of all client tokens after eight hours."""
        with self._changed:
            self._tokens.clear()

    def issuer(self, statement_id: str) -> str | None:
        """The ARN of the statement's caller; None for an unknown statement."""
        statement = self._statements.get(statement_id)
        return statement.principal if statement else None

    def close(self) -> None:
        """Interrupt running statements and close the database file."""
        for statement_id in list(self._sessions):
            self._abort(statement_id)
        with self._changed:
            self._changed.wait_for(lambda: not self._sessions, timeout=5)
        self.warehouse.close()

    def _handlers(self) -> dict[str, Callable[[Call], dict[str, Any]]]:
        return {
            "ExecuteStatement": self._execute,
            "BatchExecuteStatement": self._execute,
            "DescribeStatement": lambda call: as_description(self._find(call)),
            "GetStatementResult": lambda call: result_page(self._find(call), call),
            "ListStatements": self._list,
            "CancelStatement": self._cancel,
        }

    # ---- operations

    def _execute(self, call: Call) -> dict[str, Any]:
        check(call)
        token = call.parameters.get("ClientToken", str(uuid.uuid4()))
        request = {key: value for key, value in call.parameters.items() if key != "ClientToken"}
        with self._changed:
            statement_id = self._known(token, request)
            if statement_id is None:
                statement_id = self._submit(call, token, request)
        return self._execution(self._wait(statement_id, call), call)

    def _known(self, token: str, request: dict[str, Any]) -> str | None:
        made_at, earlier, statement_id = self._tokens.get(token, (0.0, request, None))
        if statement_id is None or self._clock() - made_at > TOKEN_SECONDS:
            return None
        if earlier != request:
            raise ApiError("ValidationException", f"ClientToken {token} was used with other parameters")
        return statement_id

    def _submit(self, call: Call, token: str, request: dict[str, Any]) -> str:
        active = sum(statement.status not in FINAL for statement in self._statements.values())
        if active >= MOST_ACTIVE:
            raise ApiError("ActiveStatementsExceededException", f"{active} statements are active")
        statement_id = str(uuid.uuid4())
        self._statements[statement_id] = Statement.of(statement_id, request, call.caller, is_batch="Sqls" in request)
        self._tokens[token] = (self._clock(), request, statement_id)
        user = user_of(call.caller, request.get("SecretArn"))
        self._sessions[statement_id] = self.warehouse.session(user, request["Database"])
        threading.Thread(target=self._work, args=(statement_id,), name=f"sql-{statement_id}", daemon=True).start()
        return statement_id

    def _execution(self, statement: Statement, call: Call) -> dict[str, Any]:
        copied = ("Database", "WorkgroupName", "ClusterIdentifier", "SecretArn", "DbUser")
        answer = {key: call.parameters[key] for key in copied if key in call.parameters}
        answer |= {"Id": statement.id, "CreatedAt": statement.created_at}
        if "WaitTimeSeconds" in call.parameters:
            answer |= {"Status": statement.status, "HasResultSet": statement.has_rows}
        return answer

    def _wait(self, statement_id: str, call: Call) -> Statement:
        """The statement, once it has ended or the call's WaitTimeSeconds have passed."""
        with self._changed:
            seconds = call.parameters.get("WaitTimeSeconds", 0)
            self._changed.wait_for(lambda: self._statements[statement_id].status in FINAL, timeout=seconds)
            return self._statements[statement_id]

    def _find(self, call: Call) -> Statement:
        statement_id = call.parameters["Id"].partition(":")[0]
        if statement_id not in self._statements:
            raise ApiError("ResourceNotFoundException", "Query does not exist.", ResourceId=call.parameters["Id"])
        return self._wait(statement_id, call)

    def _list(self, call: Call) -> dict[str, Any]:
        request = call.parameters
        matching = [s for s in reversed(list(self._statements.values())) if s.matches(request)]
        ids = [statement.id for statement in matching]
        token = request.get("NextToken")
        if token is not None and token not in ids:
            raise ApiError("ValidationException", "NextToken is not valid")
        first = ids.index(token) + 1 if token else 0
        size = request.get("MaxResults") or 100
        more = {"NextToken": ids[first + size - 1]} if first + size < len(ids) else {}
        return {"Statements": [as_summary(s) for s in matching[first : first + size]]} | more

    def _cancel(self, call: Call) -> dict[str, Any]:
        statement = self._find(call)
        if statement.status in FINAL:
            words = f"Could not cancel a query that is already in {statement.status} state with ID: {statement.id}"
            raise ApiError("ValidationException", words)
        self._abort(statement.id)
        return {"Status": True}

    def _abort(self, statement_id: str) -> None:
        with self._changed:
            self._statements[statement_id].aborted.set()
            session = self._sessions.get(statement_id)
            if session:
                session.interrupt()

    # ---- running

    def _work(self, statement_id: str) -> None:
        session = self._sessions[statement_id]
        try:
            self._update(statement_id, status="PICKED")
            self._run(statement_id, session)
        except Exception as error:  # noqa: BLE001 - a bug in this module must not leave a statement running for ever
            self._update(statement_id, status="FAILED", error=f"ERROR: internal: {type(error).__name__}: {error}")
        finally:
            with self._changed:  # so that _abort sees either an open session or none
                session.close()
                del self._sessions[statement_id]
                self._changed.notify_all()
        statement = self._statements[statement_id]
        if statement.request.get("WithEvent"):
            kind = "Redshift Data Statement Status Change"
            self._emit("aws.redshift-data", kind, event_detail(statement), [resource(statement)])

    def _run(self, statement_id: str, session: Session) -> None:
        statement = self._statements[statement_id]
        is_transaction = statement.is_batch and statement.mode == "TRANSACTION"
        try:
            plans = [plan_of(part, statement) for part in statement.parts]
            if is_transaction:
                refuse_committing(plans)
        except PartError as error:
            self._fail(statement_id, error.number, str(error))
            return
        locks = self.warehouse.locks
        with locks.held(locked_first(plans)) if any(map(is_writing, plans)) else contextlib.nullcontext():
            self._run_parts(statement_id, session, plans, is_transaction=is_transaction)

    def _run_parts(self, statement_id: str, session: Session, plans: Sequence[Plan], *, is_transaction: bool) -> None:
        started = time.monotonic_ns()
        number = 0
        self._update(statement_id, status="STARTED")
        try:
            if is_transaction:
                session.begin()
            for number, plan in enumerate(plans):
                self._run_part(statement_id, number, session, plan)
            if is_transaction:
                session.commit()
        except SqlError as error:
            if is_transaction:
                session.rollback()
            self._fail(statement_id, number, str(error), nanoseconds=time.monotonic_ns() - started)
            return
        self._update(statement_id, status="FINISHED", nanoseconds=time.monotonic_ns() - started)

    def _run_part(self, statement_id: str, number: int, session: Session, plan: Plan) -> None:
        if self._statements[statement_id].aborted.is_set():
            raise SqlError("Query cancelled on user's request")
        self._update_part(statement_id, number, status="STARTED")
        started = time.monotonic_ns()
        effect = session.run(plan)
        spent = time.monotonic_ns() - started
        self._update_part(
            statement_id, number, status="FINISHED", nanoseconds=spent, count=effect.count, rows=effect.rows
        )

    def _fail(self, statement_id: str, number: int, words: str, nanoseconds: int = 0) -> None:
        """Mark part `number` as failed (or aborted) and all later parts as aborted."""
        statement = self._statements[statement_id]
        status = "ABORTED" if statement.aborted.is_set() else "FAILED"
        error = "Query cancelled on user's request" if status == "ABORTED" else words
        parts = [
            replace(part, status=status, error=f"ERROR: {error}") if i == number
            else replace(part, status="ABORTED", error="Connection or an prior query failed.") if i > number
            else part
            for i, part in enumerate(statement.parts)
        ]  # fmt: skip
        prefix = f"Query #{number + 1} failed with " if statement.is_batch and status == "FAILED" else ""
        outcome = {"status": status, "error": f"{prefix}ERROR: {error}", "nanoseconds": nanoseconds}
        self._update(statement_id, parts=tuple(parts), **outcome)

    def _update_part(self, statement_id: str, number: int, **changes: Any) -> None:
        parts = list(self._statements[statement_id].parts)
        parts[number] = replace(parts[number], updated_at=now(), **changes)
        self._update(statement_id, parts=tuple(parts))

    def _update(self, statement_id: str, **changes: Any) -> None:
        with self._changed:
            self._statements[statement_id] = replace(self._statements[statement_id], updated_at=now(), **changes)
            self._changed.notify_all()


class PartError(Exception):
    """Statement `number` of a batch cannot be translated or is not allowed."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(words)
        self.number = number


def plan_of(part: Part, statement: Statement) -> Plan:
    """The part's plan, with the statement's parameters filled in; PartError if it has none."""
    try:
        return translate(part.sql, statement.values)
    except SqlError as error:
        raise PartError(part.number, str(error)) from error


def refuse_committing(plans: Sequence[Plan]) -> None:
    """Raises PartError for a statement that would commit Redshift's transaction early."""
    for number, plan in enumerate(plans):
        if isinstance(plan, Truncate):
            raise PartError(number, f"TRUNCATE {plan.table} commits; use DELETE inside a batch transaction")


def is_writing(plan: Plan) -> bool:
    """Whether the plan needs locks: all plans do, except queries and no-ops that name no table."""
    return not (isinstance(plan, Query) and plan.kind == "rows") and not (isinstance(plan, Nothing) and not plan.tables)


def check(call: Call) -> None:
    """Raises ValidationException for requests that the Data API rejects beyond its model, or that are not supported."""
    request = call.parameters
    sqls = request.get("Sqls") or [request["Sql"]]
    problems = {
        "Either WorkgroupName or ClusterIdentifier is required": ("WorkgroupName" in request)
        == ("ClusterIdentifier" in request),
        "Database is required": not request.get("Database"),
        f"Statement exceeds the limit of {LONGEST_SQL} bytes": sum(len(sql.encode()) for sql in sqls) > LONGEST_SQL,
        "Sql must not be empty": not all(sql.strip() for sql in sqls),
        "Sessions (SessionId, SessionKeepAliveSeconds) are not supported locally": "SessionId" in request
        or request.get("SessionKeepAliveSeconds", 0) > 0,
        "ResultFormat CSV is not supported locally": request.get("ResultFormat") == "CSV",
    }
    first = next((problem for problem, holds in problems.items() if holds), None)
    if first:
        raise ApiError("ValidationException", first)
    check_parameters(request.get("Parameters", []), sqls)


def check_parameters(parameters: Sequence[dict[str, str]], sqls: Sequence[str]) -> None:
    """Raises ValidationException unless every parameter is given once and used."""
    names = [parameter["name"] for parameter in parameters]
    used = set().union(*map(used_parameters, sqls)) if names else set()
    wrong = [name for name in names if name not in used or names.count(name) > 1]
    if wrong:
        raise ApiError("ValidationException", f"Parameters list contains unused or repeated parameters: {wrong}")
