"""The process that runs a handler."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.lambda_runtime.functions import Functions
from local.lambda_runtime.worker import ANSWER_BYTES_MAX
from tests.local.lambda_runtime.conftest import CODE, WORK


def test_a_handler_gets_its_event_and_a_context(functions: Functions) -> None:
    """Name, ARN, memory, remaining time and the code's folder are those of the spec; the process stays warm."""
    response = functions.invoke("Work", {"do": "context"})
    facts = response.payload
    assert (facts["name"], facts["arn"], facts["memory"]) == ("tidemark-Work", WORK.arn, "256")
    assert 28_000 < facts["remaining"] <= 30_000
    assert facts["request_id"] == response.request_id
    assert Path(facts["path"]) == CODE
    assert functions.invoke("Work", {"do": "context"}).payload["pid"] == facts["pid"]


def test_an_exception_is_told_as_lambda_tells_it(functions: Functions) -> None:
    """It has errorType, errorMessage and a stack trace with only the handler's frames."""
    response = functions.invoke("Work", {"do": "fail"})
    assert response.error
    assert (response.payload["errorType"], response.payload["errorMessage"]) == ("ValueError", "as told")
    (frame,) = response.payload["stackTrace"]
    assert "work.py" in frame


def test_what_a_handler_prints_goes_to_its_log(functions: Functions, tmp_path: Path) -> None:
    """Prints never disturb the answer; the log has START, the text and REPORT in order."""
    assert functions.invoke("Work", {"x": "naïve\n"}).payload == {"x": "naïve\n"}
    lines = (tmp_path / "logs" / "Work.log").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["START", "work", "END", "REPORT"]


def test_a_handler_that_cannot_be_imported_is_named(functions: Functions) -> None:
    """Runtime.ImportModuleError, on every invocation, with the module's name."""
    for _ in range(2):
        response = functions.invoke("Lost", {})
        assert (response.error, response.payload["errorType"]) == (True, "Runtime.ImportModuleError")
        assert response.payload["errorMessage"] == "Unable to import module 'no': No module named 'no'"


def test_a_module_without_its_handler_is_named(functions: Functions) -> None:
    """Runtime.HandlerNotFound, in the words of Lambda's runtime."""
    response = functions.invoke("Empty", {})
    assert (response.error, response.payload["errorType"]) == (True, "Runtime.HandlerNotFound")
    assert response.payload["errorMessage"] == "Handler 'missing' missing on module 'work'"


def test_processes_die_with_their_parent(tmp_path: Path) -> None:
    """When the laptop cloud is killed in the middle of a handler, no process is left behind."""
    pid_file = tmp_path / "pid"
    script = f"""
import threading, time
from pathlib import Path
from dataclasses import replace
from local.stack.deployment import FunctionSpec
from local.lambda_runtime.functions import Functions
spec = FunctionSpec("Work", "w", "arn:w", "work.handler", Path({str(CODE)!r}), {{}}, 30, 128, "arn:r")
functions = Functions([spec], "http://127.0.0.1:1", Path({str(tmp_path)!r}))
pid = functions.invoke("Work", {{"do": "context"}}).payload["pid"]
threading.Thread(target=functions.invoke, args=("Work", {{"do": "hang"}})).start()
time.sleep(0.2)
Path({str(pid_file)!r}).write_text(str(pid))
time.sleep(60)
"""
    root = Path(__file__).resolve().parents[3]
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=root)
    try:
        _until(lambda: pid_file.exists() and bool(pid_file.read_text()))
        pid = int(pid_file.read_text())
        assert _alive(pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    _until(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().split()[2]
    except FileNotFoundError:
        return False
    return state != "Z"


def _until(true: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_answer_that_is_not_json_is_an_error(functions: Functions) -> None:
    """A set cannot be marshalled: Runtime.MarshalError, and the process goes on."""
    pid = functions.invoke("Work", {"do": "context"}).payload["pid"]
    response = functions.invoke("Work", {"do": "unspeakable"})
    assert (response.error, response.payload["errorType"]) == (True, "Runtime.MarshalError")
    assert functions.invoke("Work", {"do": "context"}).payload["pid"] == pid


@pytest.mark.parametrize(("size", "fits"), [(ANSWER_BYTES_MAX, True), (ANSWER_BYTES_MAX + 1, False)])
def test_an_answer_may_not_be_larger_than_lambda_gives(functions: Functions, size: int, fits: bool) -> None:
    """The limit is for the whole JSON, blanks included; a larger one is the function's fault."""
    response = functions.invoke("Work", {"x": "x" * (size - len('{"x": ""}'))})
    told = f"Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes)."
    assert response.error is not fits
    assert fits or response.payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert fits or response.payload["errorMessage"] == f"RequestId: {response.request_id} Error: {told}"


def test_an_answer_counts_as_ascii(functions: Functions) -> None:
    """Python 3.11's runtime escapes what is not ASCII, so two bytes of UTF-8 count as six."""
    assert functions.invoke("Work", {"x": "é" * (2 << 20)}).error
