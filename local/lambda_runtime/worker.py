"""The process of one function: `python worker.py <module.function> <arn> <layers>`, started in its code folder.

Requests and answers are JSON, one per line, on the original stdin and stdout; the handler's own output goes to the
log. This file imports nothing from the laptop cloud, and only the standard library before the handler, so that it
cannot hide an import that the function's package lacks.
"""

import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

#: Bytes of a handler's result as the runtime encodes it, in ASCII (docs/aws-facts.md#lambda-invocations).
ANSWER_BYTES_MAX = (6 << 20) + 100


class LambdaContext:
    """The context object that Lambda passes to a handler along with the event."""

    def __init__(self, request_id: str, deadline: float) -> None:
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.invoked_function_arn = sys.argv[2]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))


def _die_with_parent() -> None:
    """On Linux, has the kernel kill this process when its parent ends, even while a handler runs."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _requests(source: Any) -> "queue.Queue[dict[str, Any]]":
    """A queue of the incoming requests; the end of the stream ends the process at once, on every platform."""
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in source:
            waiting.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return waiting


def _failure(error: BaseException, own_frames: int) -> dict[str, Any]:
    """Lambda's answer for an exception, without this file's stack frames."""
    frames = traceback.extract_tb(error.__traceback__)[own_frames:]
    lines = traceback.format_list(frames)
    return {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": lines}


def _fault(kind: str, message: str) -> dict[str, Any]:
    """Lambda's answer for a failure that the runtime itself finds."""
    return {"errorMessage": message, "errorType": kind, "stackTrace": []}


def _load(handler: str) -> Any:
    module, _, function = handler.rpartition(".")
    return getattr(importlib.import_module(module.replace("/", ".")), function)


def _load_failure(handler: str, error: BaseException) -> dict[str, Any]:
    """Lambda's answer for a handler that cannot be loaded."""
    module, _, function = handler.rpartition(".")
    known = (
        (ImportError, "ImportModuleError", f"Unable to import module '{module}': {error}"),
        (AttributeError, "HandlerNotFound", f"Handler '{function}' missing on module '{module}'"),
        (SyntaxError, "UserCodeSyntaxError", f"Syntax error in module '{module}': {error}"),
    )
    other = (type(error), type(error).__name__, str(error))
    _, name, message = next((entry for entry in known if isinstance(error, entry[0])), other)
    return _failure(error, own_frames=2) | {"errorType": f"Runtime.{name}", "errorMessage": message}


def _answer(handle: Any, request: dict[str, Any]) -> dict[str, Any]:
    os.environ["_X_AMZN_TRACE_ID"] = request["trace_id"]
    deadline = time.time() + request["timeout_seconds"]
    try:
        result = handle(request["event"], LambdaContext(request["request_id"], deadline))
    except BaseException as error:  # noqa: BLE001 — SystemExit is an answer, too
        traceback.print_exc()
        return {"error": _failure(error, own_frames=1)}
    try:
        encoded = json.dumps(result)
    except (TypeError, ValueError, RecursionError) as error:
        return {"error": _fault("Runtime.MarshalError", f"Unable to marshal response: {error}")}
    if len(encoded) > ANSWER_BYTES_MAX:
        size = f"Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes)."
        return {"error": {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": size}}
    return {"payload": json.loads(encoded)}


def main() -> None:
    _die_with_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    waiting = _requests(os.fdopen(os.dup(0), encoding="utf-8"))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.path[:0] = [str(Path.cwd()), *json.loads(sys.argv[3])]

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    started = time.perf_counter()
    try:
        handle = _load(sys.argv[1])
    except BaseException as error:  # noqa: BLE001 — the caller receives every error
        traceback.print_exc()
        say({"error": _load_failure(sys.argv[1], error)})
        sys.exit(1)
    say({"init_seconds": time.perf_counter() - started})
    while True:
        say(_answer(handle, waiting.get()))


if __name__ == "__main__":
    main()
