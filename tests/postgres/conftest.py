"""A server for all tests of this folder, and the sessions that a test plays with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.postgres.server import NO_SERVER, programs, running
from tests.postgres.sessions import Rows, Session, Watcher
from tests.postgres.stage import Stage


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The connection string of a PostgreSQL server."""
    path = programs()
    if path is None:
        pytest.skip(NO_SERVER)
    with running(path) as url:
        yield url


@pytest.fixture(scope="session")
def made() -> Rows:
    """The columns of the tables as they were created, for the tests to share them."""
    return []


@pytest.fixture
def stage(server: str, made: Rows) -> Iterator[Stage]:
    """Two sessions side by side, with the tables created and empty."""
    with ExitStack() as opened:
        sessions = tuple(opened.enter_context(Session(server)) for _ in range(2))
        stage = Stage(server, sessions, opened.enter_context(Watcher(server)))
        stage.prepare(made)
        yield stage
