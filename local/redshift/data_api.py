"""The Redshift Data API on the laptop: AWS's requests, states, limits and events; DuckDB does the SQL."""

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
    """WSGI app over one DuckDB file. `emit(source, detail type, detail, resources)` takes the events.

    The file stands for the whole workgroup: every Database name means it. `s3` makes the client that COPY reads
    with. Statements are forgotten with the process, as AWS forgets them after a day; tables stay.
    """

    def __init__(self, emit: Emit, database: Path, s3: S3, clock: Callable[[], float] = time.monotonic) -> None:
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
        """As if eight hours had gone by."""
        with self._changed:
            self._tokens.clear()

    def close(self) -> None:
        """Interrupt what runs and close the database file."""
        for identity in list(self._sessions):
            self._abort(identity)
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
        asked = {key: value for key, value in call.parameters.items() if key != "ClientToken"}
        with self._changed:
            identity = self._known(token, asked)
            if identity is None:
                identity = self._submit(call, token, asked)
        return self._execution(self._waited(identity, call), call)

    def _known(self, token: str, asked: dict[str, Any]) -> str | None:
        made_at, earlier, identity = self._tokens.get(token, (0.0, asked, None))
        if identity is None or self._clock() - made_at > TOKEN_SECONDS:
            return None
        if earlier != asked:
            raise ApiError("ValidationException", f"ClientToken {token} was used with other parameters")
        return identity

    def _submit(self, call: Call, token: str, asked: dict[str, Any]) -> str:
        active = sum(statement.status not in FINAL for statement in self._statements.values())
        if active >= MOST_ACTIVE:
            raise ApiError("ActiveStatementsExceededException", f"{active} statements are active")
        identity = str(uuid.uuid4())
        self._statements[identity] = Statement.of(identity, asked, call.caller, is_batch="Sqls" in asked)
        self._tokens[token] = (self._clock(), asked, identity)
        self._sessions[identity] = self.warehouse.session()
        threading.Thread(target=self._work, args=(identity,), name=f"sql-{identity}", daemon=True).start()
        return identity

    def _execution(self, statement: Statement, call: Call) -> dict[str, Any]:
        copied = ("Database", "WorkgroupName", "ClusterIdentifier", "SecretArn", "DbUser")
        answer = {key: call.parameters[key] for key in copied if key in call.parameters}
        answer |= {"Id": statement.id, "CreatedAt": statement.created_at}
        if "WaitTimeSeconds" in call.parameters:
            answer |= {"Status": statement.status, "HasResultSet": statement.has_rows}
        return answer

    def _waited(self, identity: str, call: Call) -> Statement:
        """The statement, after at most WaitTimeSeconds if the call wants its end."""
        with self._changed:
            seconds = call.parameters.get("WaitTimeSeconds", 0)
            self._changed.wait_for(lambda: self._statements[identity].status in FINAL, timeout=seconds)
            return self._statements[identity]

    def _find(self, call: Call) -> Statement:
        identity = call.parameters["Id"].partition(":")[0]
        if identity not in self._statements:
            raise ApiError("ResourceNotFoundException", "Query does not exist.", ResourceId=call.parameters["Id"])
        return self._waited(identity, call)

    def _list(self, call: Call) -> dict[str, Any]:
        asked = call.parameters
        found = [s for s in reversed(list(self._statements.values())) if s.matches(asked)]
        ids = [statement.id for statement in found]
        token = asked.get("NextToken")
        if token is not None and token not in ids:
            raise ApiError("ValidationException", "NextToken is not valid")
        first = ids.index(token) + 1 if token else 0
        size = asked.get("MaxResults") or 100
        more = {"NextToken": ids[first + size - 1]} if first + size < len(ids) else {}
        return {"Statements": [as_summary(s) for s in found[first : first + size]]} | more

    def _cancel(self, call: Call) -> dict[str, Any]:
        statement = self._find(call)
        if statement.status in FINAL:
            words = f"Could not cancel a query that is already in {statement.status} state with ID: {statement.id}"
            raise ApiError("ValidationException", words)
        self._abort(statement.id)
        return {"Status": True}

    def _abort(self, identity: str) -> None:
        with self._changed:
            self._statements[identity].aborted.set()
            session = self._sessions.get(identity)
            if session:
                session.interrupt()

    # ---- running

    def _work(self, identity: str) -> None:
        session = self._sessions[identity]
        try:
            self._update(identity, status="PICKED")
            self._run(identity, session)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not leave a statement running for ever
            self._update(identity, status="FAILED", error=f"ERROR: internal: {type(error).__name__}: {error}")
        finally:
            with self._changed:  # whoever aborts finds an open session or none
                session.close()
                del self._sessions[identity]
                self._changed.notify_all()
        statement = self._statements[identity]
        if statement.asked.get("WithEvent"):
            kind = "Redshift Data Statement Status Change"
            self._emit("aws.redshift-data", kind, event_detail(statement), [resource(statement)])

    def _run(self, identity: str, session: Session) -> None:
        statement = self._statements[identity]
        is_transaction = statement.is_batch and statement.mode == "TRANSACTION"
        try:
            plans = [translated(part, statement) for part in statement.parts]
            if is_transaction:
                refuse_committing(plans)
        except PartError as error:
            self._fail(identity, error.number, str(error))
            return
        locks = self.warehouse.locks
        with locks.held(locked_first(plans)) if any(map(is_writing, plans)) else contextlib.nullcontext():
            self._run_parts(identity, session, plans, is_transaction=is_transaction)

    def _run_parts(self, identity: str, session: Session, plans: Sequence[Plan], *, is_transaction: bool) -> None:
        started = time.monotonic_ns()
        number = 0
        self._update(identity, status="STARTED")
        try:
            if is_transaction:
                session.begin()
            for number, plan in enumerate(plans):
                self._run_part(identity, number, session, plan)
            if is_transaction:
                session.commit()
        except SqlError as error:
            if is_transaction:
                session.rollback()
            self._fail(identity, number, str(error), nanoseconds=time.monotonic_ns() - started)
            return
        self._update(identity, status="FINISHED", nanoseconds=time.monotonic_ns() - started)

    def _run_part(self, identity: str, number: int, session: Session, plan: Plan) -> None:
        if self._statements[identity].aborted.is_set():
            raise SqlError("Query cancelled on user's request")
        self._update_part(identity, number, status="STARTED")
        started = time.monotonic_ns()
        effect = session.run(plan)
        spent = time.monotonic_ns() - started
        self._update_part(identity, number, status="FINISHED", nanoseconds=spent, count=effect.count, rows=effect.rows)

    def _fail(self, identity: str, number: int, words: str, nanoseconds: int = 0) -> None:
        """End a statement by its part `number`: later parts never ran."""
        statement = self._statements[identity]
        status = "ABORTED" if statement.aborted.is_set() else "FAILED"
        error = "Query cancelled on user's request" if status == "ABORTED" else words
        parts = [
            replace(part, status=status, error=f"ERROR: {error}") if i == number
            else replace(part, status="ABORTED", error="Connection or an prior query failed.") if i > number
            else part
            for i, part in enumerate(statement.parts)
        ]  # fmt: skip
        prefix = f"Query #{number + 1} failed with " if statement.is_batch and status == "FAILED" else ""
        told = {"status": status, "error": f"{prefix}ERROR: {error}", "nanoseconds": nanoseconds}
        self._update(identity, parts=tuple(parts), **told)

    def _update_part(self, identity: str, number: int, **changes: Any) -> None:
        parts = list(self._statements[identity].parts)
        parts[number] = replace(parts[number], updated_at=now(), **changes)
        self._update(identity, parts=tuple(parts))

    def _update(self, identity: str, **changes: Any) -> None:
        with self._changed:
            self._statements[identity] = replace(self._statements[identity], updated_at=now(), **changes)
            self._changed.notify_all()


class PartError(Exception):
    """Statement `number` of a batch cannot even be tried."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(words)
        self.number = number


def translated(part: Part, statement: Statement) -> Plan:
    """The part's plan with the statement's parameters."""
    try:
        return translate(part.sql, statement.values)
    except SqlError as error:
        raise PartError(part.number, str(error)) from error


def refuse_committing(plans: Sequence[Plan]) -> None:
    """PartError for statements that would end Redshift's transaction on the way."""
    for number, plan in enumerate(plans):
        if isinstance(plan, Truncate):
            raise PartError(number, f"TRUNCATE {plan.table} commits; use DELETE inside a batch transaction")


def is_writing(plan: Plan) -> bool:
    """Whether others must wait for it: everything but queries and what does nothing."""
    return not (isinstance(plan, Query) and plan.kind == "rows") and not (isinstance(plan, Nothing) and not plan.tables)


def check(call: Call) -> None:
    """ValidationException for what the Data API refuses beyond its model, and for what is not played here."""
    asked = call.parameters
    sqls = asked.get("Sqls") or [asked["Sql"]]
    problems = {
        "Either WorkgroupName or ClusterIdentifier is required": ("WorkgroupName" in asked)
        == ("ClusterIdentifier" in asked),
        "Database is required": not asked.get("Database"),
        f"Statement exceeds the limit of {LONGEST_SQL} bytes": sum(len(sql.encode()) for sql in sqls) > LONGEST_SQL,
        "Sql must not be empty": not all(sql.strip() for sql in sqls),
        "Sessions (SessionId, SessionKeepAliveSeconds) are not played locally": "SessionId" in asked
        or asked.get("SessionKeepAliveSeconds", 0) > 0,
        "ResultFormat CSV is not played locally": asked.get("ResultFormat") == "CSV",
    }
    found = [words for words, holds in problems.items() if holds]
    if found:
        raise ApiError("ValidationException", found[0])
    check_parameters(asked.get("Parameters", []), sqls)


def check_parameters(parameters: Sequence[dict[str, str]], sqls: Sequence[str]) -> None:
    """ValidationException unless every parameter is given once and used."""
    names = [parameter["name"] for parameter in parameters]
    used = set().union(*map(used_parameters, sqls)) if names else set()
    wrong = [name for name in names if name not in used or names.count(name) > 1]
    if wrong:
        raise ApiError("ValidationException", f"Parameters list contains unused or repeated parameters: {wrong}")
