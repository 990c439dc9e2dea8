"""Processes end with their parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.spark.conftest import Cloud
from tests.local.stand_ins import eventually

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]


def alive(marker: str) -> list[int]:
    """Processes whose command line holds the marker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words, state = (entry / "cmdline").read_bytes(), (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if marker.encode() in words and state != "Z":
            found.append(int(entry.name))
    return found


def test_nothing_outlives_its_parent(cloud: Cloud, tmp_path: Path) -> None:
    """When the server is killed with -9, driver and Java end with it."""
    program = (
        "import time; from pathlib import Path; from local.spark.runner import *;"
        f"r = WarmRunner(Workspace(Path({str(tmp_path)!r}), {cloud.url!r})); time.sleep(600)"
    )
    server = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    try:
        eventually(lambda: len(alive(str(tmp_path))) >= 2, seconds=30)
        eventually(lambda: java_below(tmp_path), seconds=60)
        java = java_below(tmp_path)
    finally:
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    eventually(lambda: not alive(str(tmp_path)) and not any(Path(f"/proc/{pid}").exists() for pid in java), seconds=10)


def java_below(state: Path) -> list[int]:
    """Java processes that work in the state folder."""
    found = []
    for pid in alive("PythonGatewayServer"):
        try:
            working = str(Path(f"/proc/{pid}/cwd").readlink())
        except OSError:
            continue
        if working.startswith(str(state)):
            found.append(pid)
    return found
