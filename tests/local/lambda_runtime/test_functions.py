"""Functions run in warm processes of their own, and end the way Lambda's do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from local.lambda_runtime.functions import Functions, environment
from tests.local.lambda_runtime.conftest import WORK


def test_the_environment_is_the_templates_and_lambdas_own(
    functions: Functions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the person's environment reaches a handler; its access key names the function."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    seen = functions.invoke("Work", {"do": "environment"}).payload
    expected = dict(environment(WORK, "http://127.0.0.1:1", tmp_path))
    assert {name: seen[name] for name in seen if name not in ("_X_AMZN_TRACE_ID", "LC_CTYPE")} == expected
    assert (seen["AWS_ACCESS_KEY_ID"], seen["TABLE"], seen["TZ"]) == ("AKIALOCALWork", "t", ":UTC")
    assert seen["AWS_LAMBDA_LOG_GROUP_NAME"] == "/tidemark/functions"


def test_a_handler_is_killed_at_its_timeout(functions: Functions) -> None:
    """Sandbox.Timedout after a second; the next invocation gets a new process."""
    started = time.perf_counter()
    response = functions.invoke("Hasty", {"do": "hang"})
    assert (response.error, response.payload["errorType"]) == (True, "Sandbox.Timedout")
    expected = f"RequestId: {response.request_id} Error: Task timed out after 1.00 seconds"
    assert response.payload["errorMessage"] == expected
    assert time.perf_counter() - started < 5
    assert functions.invoke("Hasty", {"again": 1}).payload == {"again": 1}


def test_a_crash_is_an_error_and_the_process_is_started_again(functions: Functions) -> None:
    """os._exit in a handler is Runtime.ExitError with the status."""
    response = functions.invoke("Work", {"do": "die"})
    assert (response.error, response.payload["errorType"]) == (True, "Runtime.ExitError")
    assert "exit status 7" in response.payload["errorMessage"]
    assert functions.invoke("Work", {"again": 1}).payload == {"again": 1}


def test_stop_ends_a_running_handler_at_once(tmp_path: Path) -> None:
    """A handler that hangs does not hold up the end."""
    from concurrent.futures import ThreadPoolExecutor

    functions = Functions([WORK], "http://127.0.0.1:1", tmp_path)
    functions.invoke("Work", {})
    with ThreadPoolExecutor() as pool:
        running = pool.submit(functions.invoke, "Work", {"do": "hang"})
        time.sleep(0.3)
        started = time.perf_counter()
        functions.stop()
        assert running.result().error
    assert time.perf_counter() - started < 3
    assert functions.invoke("Work", {}).payload["errorType"] == "Runtime.Stopped"
