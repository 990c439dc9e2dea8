"""Sessions of one server, whose statements end or wait for one another, as a test can see."""

from __future__ import annotations

from collections.abc import Sequence
from select import select
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

Rows = list[tuple[Any, ...]]
#: PostgreSQL's numbers of the types int8, int2, int4 and bool → what their text becomes; other values stay text.
VALUES = {20: int, 21: int, 23: int, 16: lambda text: text == b"t"}


class Session:
    """A connection that sends one statement at a time and does not wait for its end."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.pid = self.connection.info.backend_pid
        self._wire = self.connection.pgconn

    def send(self, statement: str) -> None:
        self._wire.send_query(statement.encode())

    def has_ended(self, seconds: float = 0) -> bool:
        """Whether the statement has ended, waiting for up to so long."""
        if self._wire.is_busy() and select([self._wire.socket], [], [], seconds)[0]:
            self._wire.consume_input()
        return not self._wire.is_busy()

    def answer(self) -> Rows:
        """Waits for the statement's end. Its rows, or its error is raised."""
        while not self.has_ended(1):
            pass
        results = list(iter(self._wire.get_result, None))
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
        return _rows(results[-1])

    def execute(self, *statements: str) -> Rows:
        """Runs the statements and waits for the end of each; the rows of the last one."""
        rows: Rows = []
        for statement in statements:
            self.send(statement)
            rows = self.answer()
        return rows

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _rows(result: psycopg.pq.abc.PGresult) -> Rows:
    return [
        tuple(_value(result.get_value(row, column), result.ftype(column)) for column in range(result.nfields))
        for row in range(result.ntuples)
    ]


def _value(text: bytes | None, kind: int) -> Any:
    return text if text is None else VALUES.get(kind, bytes.decode)(text)


class Watcher(Session):
    """A session that sees which other sessions wait, and ends them."""

    def is_waiting(self, session: Session) -> bool:
        """Waits until the session's statement has ended or waits for a lock; whether it waits for one."""
        pause = 0.004  # seconds; most statements end sooner
        while not session.has_ended(pause):
            pause *= 2
            [(waits,)] = self.execute(f"SELECT cardinality(pg_blocking_pids({session.pid})) > 0")
            if waits:
                return True
        return False

    def end(self, session: Session) -> None:
        """Ends the session as a crash of its client or its node does: nothing of its transaction is kept."""
        self.execute(f"SELECT pg_terminate_backend({session.pid}, 10000)")


def in_one_transaction(level: str, statements: Sequence[str]) -> tuple[str, ...]:
    """The statements as a session sends them. BEGIN is sent with the first one: it takes neither lock nor snapshot."""
    first, *others = statements
    return (f"BEGIN ISOLATION LEVEL {level}; {first}", *others, "COMMIT")
