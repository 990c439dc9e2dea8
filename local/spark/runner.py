"""Runs jobs with local Spark, either in a warm driver (the default) or by a new spark-submit.

Jobs run in separate processes with the job role's access key, and access S3 through the endpoint. For Spark, `s3://`
is a folder whose new files are uploaded after the job has succeeded.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Final, Protocol

from local.spark import jvm, process_group
from local.spark import staging as spark_staging
from local.spark.workspace import (
    OWN_KEY,
    JobSpec,
    Outcome,
    Workspace,
    error_lines,
    local_properties,
    submit_options,
    tail,
)

__all__ = ["ColdRunner", "JobRunner", "JobSpec", "Outcome", "WarmRunner", "Workspace"]

SOURCES: Final = Path(__file__).parents[2]
CANCELLED: Final = 143  # exit code of a process that was terminated (128 + SIGTERM)
POLL_SECONDS: Final = 0.02


class JobRunner(Protocol):
    """Runs jobs, at most `capacity` at once; `run` returns soon after `cancelled` is set, even if the job hangs."""

    @property
    def capacity(self) -> int: ...

    def run(self, job: JobSpec, cancelled: threading.Event) -> Outcome: ...

    def stop(self) -> None: ...


class WarmRunner:
    """Keeps one driver running, like EMR's pre-initialized capacity, which runs one job after another.

    The driver is replaced after a job that was cancelled, crashed it or left it unhealthy, and after `most_jobs` jobs.
    """

    capacity = 1

    def __init__(self, workspace: Workspace, most_jobs: int = 50) -> None:
        self._workspace, self._most_jobs = workspace, most_jobs
        self._s3 = workspace.s3()
        self._lock = threading.Lock()
        self._stopped = False
        self._driver = Driver(workspace)

    def run(self, job: JobSpec, cancelled: threading.Event) -> Outcome:
        """Run the job on the warm driver."""
        with self._lock:
            try:
                request = self._prepare(job)
            except (spark_staging.StagingError, ValueError) as error:
                return Outcome(1, str(error))
            outcome = self._driver.run(request, cancelled)
            if not self._driver.is_healthy or self._driver.jobs >= self._most_jobs:
                self._replace()
            files = spark_staging.written(self._workspace.staging)
            if not cancelled.is_set():
                spark_staging.publish(self._s3, self._workspace.staging, files, succeeded=outcome.exit_code == 0)
            return outcome

    def _prepare(self, job: JobSpec) -> dict[str, Any]:
        """Download the job's code and clear the staging folder; the request for the driver."""
        options = submit_options(job.parameters)
        code = self._workspace.state / "spark" / "code"
        names = spark_staging.buckets(self._workspace.s3(OWN_KEY))
        spark_staging.cleared(self._workspace.staging, names)
        return {
            "entry": str(spark_staging.kept_by_content(self._s3, job.entry_point, code)),
            "arguments": list(job.arguments),
            "py_files": [str(spark_staging.kept_by_content(self._s3, uri, code)) for uri in options.py_files],
            "properties": local_properties({**job.properties, **options.properties}),
            "mounts": jvm.mounts(self._workspace.staging, names),
            "log": str(self._workspace.log(job.run_id)),
        }

    def _replace(self) -> None:
        self._driver.stop()
        if not self._stopped:
            self._driver = Driver(self._workspace)

    def stop(self) -> None:
        """End the driver and thereby a running job."""
        self._stopped = True
        self._driver.stop()


class Driver:
    """A handle on a process of `local.spark.driver`, which starts in the background within seconds."""

    def __init__(self, workspace: Workspace) -> None:
        self.jobs, self.is_healthy, self._is_ready = 0, True, False
        state = workspace.state / "spark"
        (state / "work").mkdir(parents=True, exist_ok=True)
        answers, replies = os.pipe()
        self._log = workspace.log("driver")
        call = f"from local.spark.driver import main; main({workspace.cores}, {str(state)!r}, {replies})"
        program = f"import sys; sys.path.insert(0, {str(SOURCES)!r}); {call}"
        with self._log.open("ab") as log_file:
            self._process = process_group.start(
                [sys.executable, "-u", "-P", "-c", program],  # unbuffered, so that the log shows progress
                workspace.environment,
                log_file,
                pass_fds=(replies,),
                cwd=state / "work",
            )
        os.close(replies)
        self._answers: IO[bytes] = os.fdopen(answers, "rb", buffering=0)

    def run(self, request: Mapping[str, Any], cancelled: threading.Event) -> Outcome:
        """Run one job; afterwards the driver is unhealthy if it was killed, died or reports so."""
        if not self._is_ready:
            self._is_ready = self._reply(cancelled) is not None
        if cancelled.is_set():
            return Outcome(CANCELLED, "the job was cancelled before it started")
        self.jobs += 1
        answer = self._ask(request, cancelled) if self._is_ready else None
        if answer is not None:
            self.is_healthy = bool(answer["healthy"])
            return Outcome(int(answer["exit_code"]), error_lines(answer["details"]))
        self.is_healthy = False
        if cancelled.is_set():
            return Outcome(CANCELLED, "the job was cancelled")
        code = self._exit_code()
        error = error_lines(tail(Path(request["log"])) or tail(self._log))
        return Outcome(code, f"{error}\nthe driver ended with exit code {code}")

    def _ask(self, request: Mapping[str, Any], cancelled: threading.Event) -> dict[str, Any] | None:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return None
        return self._reply(cancelled)

    def _reply(self, cancelled: threading.Event) -> dict[str, Any] | None:
        """The next reply; None if the driver ends or the job is cancelled first."""
        line = b""
        while not line.endswith(b"\n"):
            if cancelled.is_set():
                return None
            if select.select([self._answers], [], [], POLL_SECONDS)[0]:
                chunk = self._answers.read(65536)
                if not chunk:
                    return None
                line += chunk
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _exit_code(self) -> int:
        """The exit code of a driver that no longer replies; it is killed if it does not end by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(1)
        process_group.end(self._process)
        return self._process.returncode

    def stop(self) -> None:
        process_group.end(self._process)
        self._answers.close()


class ColdRunner:
    """Runs each job by a new spark-submit: slow to start, but with nothing shared between jobs."""

    def __init__(self, workspace: Workspace) -> None:
        self.capacity = 1
        self._workspace = workspace
        self._s3 = workspace.s3()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, job: JobSpec, cancelled: threading.Event) -> Outcome:
        """Run the job to its end with spark-submit."""
        staging = self._workspace.staging
        with self._lock:
            try:
                names = spark_staging.buckets(self._workspace.s3(OWN_KEY))
                spark_staging.cleared(staging, names)
                uris = [job.entry_point, *submit_options(job.parameters).py_files]
                known = frozenset(spark_staging.placed(self._s3, uri, staging) for uri in uris)
            except (spark_staging.StagingError, ValueError) as error:
                return Outcome(1, str(error))
            outcome = self._submit(job, names, cancelled)
            files = spark_staging.written(staging, known)
            if not cancelled.is_set():
                spark_staging.publish(self._s3, staging, files, succeeded=outcome.exit_code == 0)
            return outcome

    def _submit(self, job: JobSpec, names: Iterable[str], cancelled: threading.Event) -> Outcome:
        log_path = self._workspace.log(job.run_id)
        command = process_group.guarded(self._command(job, names))
        work = self._workspace.state / "spark" / "work"
        work.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log_file:
            self._process = process_group.start(command, self._workspace.environment, log_file, cwd=work)
        while self._process.poll() is None:
            if cancelled.wait(POLL_SECONDS):
                process_group.end(self._process)
                return Outcome(CANCELLED, "the job was cancelled")
        process_group.end(self._process)
        code = self._process.returncode
        return Outcome(code, error_lines(tail(log_path)) if code else "")

    def _command(self, job: JobSpec, names: Iterable[str]) -> list[str]:
        mounts = jvm.mounts(self._workspace.staging, names)
        ours = jvm.settings(self._workspace.state / "spark", self._workspace.cores)
        ours |= {f"spark.hadoop.{key}": value for key, value in mounts.items()}
        ours |= {"spark.driver.extraJavaOptions": jvm.QUICK_COMPILER}
        options = submit_options(job.parameters)
        properties = ours | local_properties({**job.properties, **options.properties})
        words = [word for key, value in properties.items() for word in ("--conf", f"{key}={value}")]
        py_files = ["--py-files", ",".join(options.py_files)] if options.py_files else []
        program = str(jvm.spark_home() / "bin" / "spark-submit")
        return [program, *words, *py_files, job.entry_point, *job.arguments]

    def stop(self) -> None:
        """End a running spark-submit."""
        if self._process:
            process_group.end(self._process)
