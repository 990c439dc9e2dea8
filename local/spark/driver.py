# ruff: noqa: SLF001 - PySpark keeps what a warm driver must reset in private attributes
"""The warm driver: a process with a running JVM and Spark session that runs one job after another.

It reads one request per line from stdin and writes one reply per line to a given file descriptor. When stdin closes,
it ends together with everything it started. All state of a job (session settings, views, caches, modules, paths,
arguments) is cleared before the next one.
"""

import contextlib
import gc
import json
import os
import queue
import runpy
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import local
from local.spark import jvm as spark_jvm
from local.spark.process_group import kill_group, when_stdin_closes

SOURCES = Path(local.__file__).parents[1]


def main(cores: int, state: str, replies: int) -> None:
    """Serve until stdin closes."""
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    gateway = spark_jvm.launch(spark_jvm.existing_archive())
    when_stdin_closes(kill_group, requests.put)
    session = start_session(Path(state), cores)
    spark_jvm.warm_up(session, Path(state))
    hide_sources()
    with os.fdopen(replies, "w", buffering=1) as answers:
        print(json.dumps({"ready": True}), file=answers)
        share_classes()
        while True:
            outcome = run(session, json.loads(requests.get()))
            print(json.dumps(outcome | {"healthy": gateway.poll() is None and is_up(session)}), file=answers)


def share_classes() -> None:
    """Start to create the class-data archive at low priority, so that the machine's next driver starts faster."""
    if not spark_jvm.is_sharing_due():
        return
    program = f"import sys; sys.path.insert(0, {str(SOURCES)!r}); from local.spark.jvm import main; main()"
    subprocess.Popen([sys.executable, "-P", "-c", program], stdin=subprocess.DEVNULL)


def start_session(state: Path, cores: int) -> Any:
    """The session from which all jobs' sessions are created."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for key, value in spark_jvm.settings(state, cores).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def hide_sources() -> None:
    """Remove the checkout from the module path: as on EMR, a job must ship its modules."""
    hidden = {str(SOURCES), str(SOURCES / "functions"), ""}
    sys.path[:] = [path for path in sys.path if path not in hidden and not path.startswith("__editable__")]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in str(finder)]


def run(session: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Run one job; the reply with its exit code and error."""
    code_paths = [str(Path(request["entry"]).parent), *request["py_files"]]
    with contextlib.ExitStack() as stack:
        stack.enter_context(logged(request["log"]))
        stack.enter_context(own_session(session, request, code_paths))
        stack.enter_context(own_modules(code_paths))
        stack.enter_context(own_arguments([request["entry"], *request["arguments"]]))
        return execute(request["entry"])


def execute(entry: str) -> dict[str, Any]:
    """Run the entry point as `__main__`; exceptions and exits become an exit code."""
    try:
        runpy.run_path(entry, run_name="__main__")
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
        is_number = leaving.code is None or isinstance(leaving.code, int)
        return {"exit_code": (leaving.code or 0) if is_number else 1, "details": "" if is_number else str(leaving.code)}
    except BaseException:  # noqa: BLE001 - no exception of a job may end the driver
        words = traceback.format_exc()
        print(words, file=sys.stderr)
        return {"exit_code": 1, "details": words}
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return {"exit_code": 0, "details": ""}


@contextlib.contextmanager
def logged(log: str) -> Iterator[None]:
    """Redirects all output of this process to the run's log."""
    before = os.dup(1), os.dup(2)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    try:
        yield
    finally:
        os.dup2(before[0], 1)
        os.dup2(before[1], 2)
        for descriptor in (*before, file):
            os.close(descriptor)


@contextlib.contextmanager
def own_session(session: Any, request: dict[str, Any], code_paths: list[str]) -> Iterator[None]:
    """A new session for the job on the warm context: `getOrCreate` returns it, and `stop` does nothing."""
    from pyspark import SparkContext
    from pyspark.errors import AnalysisException
    from pyspark.sql import SparkSession

    fresh = session.newSession()
    context = fresh.sparkContext
    for bucket, folder in request["mounts"].items():
        context._jsc.hadoopConfiguration().set(bucket, folder)
    for key, value in request["properties"].items():
        try:
            fresh.conf.set(key, value)
        except AnalysisException:
            print(f"{key} cannot change after the warm driver has started: {value} is ignored", file=sys.stderr)
    # Spark pools Python workers by environment, so a job reuses warm workers only if they have its code.
    context.environment["PYTHONPATH"] = os.pathsep.join(code_paths)
    _make_current(fresh)
    try:
        with mock.patch.object(SparkSession, "stop"), mock.patch.object(SparkContext, "stop"):
            yield
    finally:
        with contextlib.suppress(Exception):
            clean(fresh)
        _make_current(session)


def _make_current(session: Any) -> None:
    from pyspark.sql import SparkSession

    SparkSession._instantiatedSession = session
    SparkSession._activeSession = session
    jvm = session._jvm.SparkSession
    jvm.setDefaultSession(session._jsparkSession)
    jvm.setActiveSession(session._jsparkSession)


def clean(session: Any) -> None:
    """Cancel the job's Spark jobs and drop its caches."""
    session.sparkContext.cancelAllJobs()
    session.catalog.clearCache()
    for held in session.sparkContext._jsc.getPersistentRDDs().values():
        held.unpersist()
    gc.collect()


@contextlib.contextmanager
def own_modules(code_paths: list[str]) -> Iterator[None]:
    """Puts the job's code on sys.path, and unloads its modules afterwards so that the next job imports its own."""
    before = list(sys.path)
    sys.path[:0] = code_paths
    try:
        yield
    finally:
        sys.path[:] = before
        for name, module in list(sys.modules.items()):
            paths = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", [])]
            if any(path.startswith(tuple(code_paths)) for path in map(str, paths)):
                del sys.modules[name]


@contextlib.contextmanager
def own_arguments(words: list[str]) -> Iterator[None]:
    before = sys.argv, dict(os.environ)
    sys.argv = words
    try:
        yield
    finally:
        sys.argv = before[0]
        os.environ.clear()
        os.environ.update(before[1])


def is_up(session: Any) -> bool:
    """Whether the Spark context is still running."""
    try:
        return not session.sparkContext._jsc.sc().isStopped()
    except Exception:  # noqa: BLE001 - py4j raises many kinds of errors for a dead gateway
        return False
