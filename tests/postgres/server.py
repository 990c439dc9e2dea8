"""A PostgreSQL server of the tests' own: on loopback, with its own data and password, gone when the tests end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from tests.ports import free_port

NO_SERVER = "no PostgreSQL server: install Debian's package postgresql, or put initdb and postgres on the path"
#: Nothing survives the tests, so nothing is synced; a deadlock is reported at once.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
    "shared_buffers": "16MB",
    "max_connections": "20",
    "deadlock_timeout": "20ms",
    "timezone": "UTC",
}


def programs() -> Path | None:
    """The directory of the newest server's programs; None without a server."""
    debian = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda path: float(path.parent.name))[::-1]
    on_path = shutil.which("postgres")
    found = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in found if (path / "postgres").exists() and (path / "initdb").exists()), None)


@contextmanager
def running(path: Path) -> Iterator[str]:
    """Starts a server from the programs at `path`; the connection string of its superuser."""
    with TemporaryDirectory(prefix="tidemark-postgres-") as directory:  # pytest's own is closed to other users
        place, password = Path(directory), secrets.token_hex(16)
        (place / "password").write_text(password)
        account = _account(place)
        _initialize(path, place, account)
        port = free_port()
        url = f"host=127.0.0.1 port={port} user=loader dbname=postgres password={password}"
        with _server(path, place, port, account) as process:
            _wait_for(process, url, place / "log")
            yield url


def _account(place: Path) -> dict[str, Any]:
    """Who runs the server: as root, which PostgreSQL refuses, another user, who then owns the directory."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    for each in (place, *place.iterdir()):
        os.chown(each, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _initialize(path: Path, place: Path, account: dict[str, Any]) -> None:
    # Texts are compared by their bytes, as in Redshift.
    how = ("--locale=C", "--encoding=UTF8", "--auth=scram-sha-256", "--no-sync", "--username=loader")
    command = [path / "initdb", "-D", place / "data", "--pwfile", place / "password", *how]
    subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL, **account)


@contextmanager
def _server(path: Path, place: Path, port: int, account: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command = [path / "postgres", "-D", place / "data", "-p", str(port), *settings]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=place, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **account)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGQUIT)  # it ends at once, without a checkpoint
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None:
                raise RuntimeError(f"PostgreSQL has not started:\n{log.read_text()}") from None
            time.sleep(0.05)
