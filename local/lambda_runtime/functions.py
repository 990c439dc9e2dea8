"""The functions of a deployment: one warm process each, invoked as Lambda does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from local.account import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.stack.deployment import FunctionSpec

WORKER = Path(__file__).with_name("worker.py")
INIT_SECONDS = 120.0  #: Lambda allows 10; with cold caches, a laptop needs more to import pyarrow
TAIL_BYTES = 4096  #: of an invocation's log, as in the answer of Invoke


@dataclass(frozen=True)
class Response:
    """The outcome of one invocation."""

    request_id: str
    payload: Any  #: what the handler returned, or {errorType, errorMessage, stackTrace}
    error: bool = False  #: Lambda's FunctionError
    seconds: float = 0.0  #: within the handler
    log_tail: bytes = b""  #: the last TAIL_BYTES that this invocation wrote to its log


def access_key(spec: FunctionSpec) -> str:
    """The access key id that this function signs its calls with; it identifies the caller."""
    return f"AKIALOCAL{spec.logical_id}"


class Functions:
    """All functions of a deployment; their logs are `<state_dir>/logs/<Function>.log`."""

    def __init__(self, specs: Sequence[FunctionSpec], endpoint_url: str, state_dir: Path) -> None:
        # Linux kills a child when the *thread* that started it ends, so one long-lived thread starts all of them.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="functions")
        self._workers = {spec.logical_id: _Worker(spec, endpoint_url, state_dir, self._starter) for spec in specs}

    def invoke(self, logical_id: str, event: Any) -> Response:
        """Runs the handler and waits for its outcome, at most for the function's timeout."""
        return self._workers[logical_id].invoke(event)

    def stop(self) -> None:
        """Kills all processes, including those of running handlers."""
        for worker in self._workers.values():
            worker.stop()
        self._starter.shutdown(wait=True, cancel_futures=True)


class _Worker:
    def __init__(self, spec: FunctionSpec, endpoint_url: str, state_dir: Path, starter: ThreadPoolExecutor) -> None:
        self._spec = spec
        self._environment = environment(spec, endpoint_url, state_dir)
        self._log_path = state_dir / "logs" / f"{spec.logical_id}.log"
        self._starter = starter
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def invoke(self, event: Any) -> Response:
        request_id = str(uuid.uuid4())
        with self._lock:
            log_start = self._log_path.stat().st_size if self._log_path.exists() else 0
            self._note(f"START RequestId: {request_id} Version: $LATEST")
            started = time.perf_counter()
            answer = self._ready() or self._ask(request_id, event)
            seconds = time.perf_counter() - started
            self._note(
                f"END RequestId: {request_id}\nREPORT RequestId: {request_id}\tDuration: {seconds * 1000:.2f} ms"
            )
            tail = self._log_from(log_start)
        failed = "error" in answer
        payload = _with_request(answer["error"], request_id) if failed else answer["payload"]
        return Response(request_id, payload, failed, seconds, tail)

    def stop(self) -> None:
        self._stopped = True
        self._kill()
        while not self._lock.acquire(timeout=0.2):  # a process that was just being started survived the kill
            self._kill()
        self._discard()
        self._lock.release()

    def _ready(self) -> dict[str, Any] | None:
        """Starts the process if there is none; returns the failure if its handler cannot be loaded."""
        if self._process is not None and self._process.poll() is None:
            return None
        if self._stopped:
            return _error("Runtime.Stopped", "the laptop cloud has stopped")
        self._discard()
        try:
            self._process = self._starter.submit(self._start).result()
        except RuntimeError:  # the starter has shut down
            return _error("Runtime.Stopped", "the laptop cloud has stopped")
        answer = self._read(INIT_SECONDS)
        if "error" not in answer:
            return None
        self._kill()
        return answer

    def _start(self) -> subprocess.Popen[str]:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        arguments = [self._spec.handler, self._spec.arn, json.dumps([str(layer) for layer in self._spec.layers])]
        with self._log_path.open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [sys.executable, "-u", "-P", str(WORKER), *arguments],
                cwd=self._spec.code_dir,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
            )

    def _ask(self, request_id: str, event: Any) -> dict[str, Any]:
        request = {
            "request_id": request_id,
            "event": event,
            "timeout_seconds": self._spec.timeout_seconds,
            "trace_id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}",
        }
        with suppress(BrokenPipeError):  # the process has died; _read finds out why
            self._pipe("stdin").write(json.dumps(request) + "\n")
            self._pipe("stdin").flush()
        return self._read(self._spec.timeout_seconds)

    def _read(self, timeout_seconds: float) -> dict[str, Any]:
        """The next answer, or an error once the timeout has killed the process."""
        timed_out = threading.Event()

        def kill() -> None:
            timed_out.set()
            self._kill()

        timer = threading.Timer(timeout_seconds, kill)
        timer.daemon = True
        timer.start()
        line = self._pipe("stdout").readline()
        timer.cancel()
        if line:
            return dict(json.loads(line))
        status = self._process.wait() if self._process else 0
        if timed_out.is_set():
            return _error("Sandbox.Timedout", f"Task timed out after {timeout_seconds:.2f} seconds")
        return _error("Runtime.ExitError", f"Runtime exited with error: exit status {status}")

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _discard(self) -> None:
        """Closes the pipes of a dead process. The caller must hold the lock, so that no other thread is reading."""
        for stream in (self._process.stdin, self._process.stdout) if self._process else ():
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def _pipe(self, name: str) -> IO[str]:
        stream: IO[str] = getattr(self._process, name)
        return stream

    def _log_from(self, start: int) -> bytes:
        with self._log_path.open("rb") as log:
            log.seek(max(start, self._log_path.stat().st_size - TAIL_BYTES))
            return log.read(TAIL_BYTES)

    def _note(self, text: str) -> None:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("a", encoding="utf-8") as log:
            log.write(text + "\n")


def environment(spec: FunctionSpec, endpoint_url: str, state_dir: Path) -> Mapping[str, str]:
    """The variables from the template, those that Lambda sets, and the endpoint; nothing else."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
        "HOME": str(state_dir),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": access_key(spec),
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/{spec.name}[$LATEST]",
        "LAMBDA_TASK_ROOT": str(spec.code_dir),
        "_HANDLER": spec.handler,
        **spec.environment,
    }


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"errorType": kind, "errorMessage": message}}


def _with_request(error: dict[str, Any], request_id: str) -> dict[str, Any]:
    """The error as Lambda words it: the runtime's own names the request in a field, the others in their message."""
    if "stackTrace" in error:
        return {**error, "requestId": request_id}
    return {**error, "errorMessage": f"RequestId: {request_id} Error: {error['errorMessage']}"}
