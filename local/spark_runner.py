"""How a job run really runs on the laptop: local Spark, warm (the default) or by a fresh spark-submit.

Jobs run in processes of their own, under the job role's access key, and see S3 through the endpoint; `s3://` in
Spark is a folder, whose new files are uploaded when the job has succeeded.
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

from local import spark_guard, spark_jvm, spark_staging
from local.spark_place import JobSpec, Outcome, Place, essence, local_properties, submit_options, tail

__all__ = ["ColdRunner", "JobRunner", "JobSpec", "Outcome", "Place", "WarmRunner"]

SOURCES: Final = Path(__file__).parents[1]
CANCELLED: Final = 143  # exit code of a process that was told to end
POLL_SECONDS: Final = 0.02


class JobRunner(Protocol):
    """Runs jobs, at most `capacity` at once; `run` returns soon after `cancelled` is set, whatever the job does."""

    @property
    def capacity(self) -> int: ...

    def run(self, job: JobSpec, cancelled: threading.Event) -> Outcome: ...

    def stop(self) -> None: ...


class WarmRunner:
    """Keeps one driver up, as EMR's pre-initialised capacity does; it takes one job after another.

    The driver is replaced after a job that was cancelled, crashed or broke it, and after `most_jobs` jobs.
    """

    capacity = 1

    def __init__(self, place: Place, most_jobs: int = 50) -> None:
        self._place, self._most_jobs = place, most_jobs
        self._s3 = place.s3()
        self._turn = threading.Lock()
        self._stopped = False
        self._driver = Driver(place)

    def run(self, job: JobSpec, cancelled: threading.Event) -> Outcome:
        """Run the job on the warm driver."""
        with self._turn:
            try:
                request = self._prepare(job)
            except (spark_staging.StagingError, ValueError) as error:
                return Outcome(1, str(error))
            outcome = self._driver.run(request, cancelled)
            if not self._driver.is_healthy or self._driver.jobs >= self._most_jobs:
                self._replace()
            files = spark_staging.written(self._place.staging)
            if not cancelled.is_set():
                spark_staging.publish(self._s3, self._place.staging, files, succeeded=outcome.exit_code == 0)
            return outcome

    def _prepare(self, job: JobSpec) -> dict[str, Any]:
        """The request for the driver, with code in place and an empty staging folder."""
        options = submit_options(job.parameters)
        code = self._place.state / "spark" / "code"
        names = spark_staging.buckets(self._s3)
        spark_staging.cleared(self._place.staging, names)
        return {
            "entry": str(spark_staging.kept_by_content(self._s3, job.entry_point, code)),
            "arguments": list(job.arguments),
            "py_files": [str(spark_staging.kept_by_content(self._s3, uri, code)) for uri in options.py_files],
            "properties": local_properties({**job.properties, **options.properties}),
            "mounts": spark_jvm.mounts(self._place.staging, names),
            "log": str(self._place.log(job.run_id)),
        }

    def _replace(self) -> None:
        self._driver.stop()
        if not self._stopped:
            self._driver = Driver(self._place)

    def stop(self) -> None:
        """End the driver; a running job ends as cancelled."""
        self._stopped = True
        self._driver.stop()


class Driver:
    """The process of `local.spark_driver`, seen from outside. Starting takes seconds and goes on by itself."""

    def __init__(self, place: Place) -> None:
        self.jobs, self.is_healthy, self._is_ready = 0, True, False
        state = place.state / "spark"
        (state / "work").mkdir(parents=True, exist_ok=True)
        answers, replies = os.pipe()
        self._log = place.log("driver")
        call = f"from local.spark_driver import main; main({place.cores}, {str(state)!r}, {replies})"
        program = f"import sys; sys.path.insert(0, {str(SOURCES)!r}); {call}"
        with self._log.open("ab") as log_file:
            self._process = spark_guard.start(
                [sys.executable, "-u", "-P", "-c", program],  # unbuffered: a log tells how far its job is
                place.environment,
                log_file,
                pass_fds=(replies,),
                cwd=state / "work",
            )
        os.close(replies)
        self._answers: IO[bytes] = os.fdopen(answers, "rb", buffering=0)

    def run(self, request: Mapping[str, Any], cancelled: threading.Event) -> Outcome:
        """One job; the driver is unhealthy afterwards if it was killed, died or says so."""
        if not self._is_ready:
            self._is_ready = self._reply(cancelled) is not None
        if cancelled.is_set():
            return Outcome(CANCELLED, "the job was cancelled before it started")
        self.jobs += 1
        answer = self._ask(request, cancelled) if self._is_ready else None
        if answer is not None:
            self.is_healthy = bool(answer["healthy"])
            return Outcome(int(answer["exit_code"]), essence(answer["details"]))
        self.is_healthy = False
        if cancelled.is_set():
            return Outcome(CANCELLED, "the job was cancelled")
        code = self._exit_code()
        return Outcome(code, f"{essence(tail(Path(request['log'])) or tail(self._log))}\nthe driver ended with {code}")

    def _ask(self, request: Mapping[str, Any], cancelled: threading.Event) -> dict[str, Any] | None:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return None
        return self._reply(cancelled)

    def _reply(self, cancelled: threading.Event) -> dict[str, Any] | None:
        """The next answer; None when the driver ends or the job is cancelled before."""
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
        """Of a driver that answers no more; one that still hangs about is killed."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(1)
        spark_guard.end(self._process)
        return self._process.returncode

    def stop(self) -> None:
        spark_guard.end(self._process)
        self._answers.close()


class ColdRunner:
    """A fresh spark-submit per run, as users know it: slow to start, nothing shared."""

    def __init__(self, place: Place) -> None:
        self.capacity = 1
        self._place = place
        self._s3 = place.s3()
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, job: JobSpec, cancelled: threading.Event) -> Outcome:
        """Run the job to its end by spark-submit."""
        staging = self._place.staging
        with self._turn:
            try:
                names = spark_staging.buckets(self._s3)
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
        log_path = self._place.log(job.run_id)
        command = spark_guard.guarded(self._command(job, names))
        work = self._place.state / "spark" / "work"
        work.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log_file:
            self._process = spark_guard.start(command, self._place.environment, log_file, cwd=work)
        while self._process.poll() is None:
            if cancelled.wait(POLL_SECONDS):
                spark_guard.end(self._process)
                return Outcome(CANCELLED, "the job was cancelled")
        spark_guard.end(self._process)
        code = self._process.returncode
        return Outcome(code, essence(tail(log_path)) if code else "")

    def _command(self, job: JobSpec, names: Iterable[str]) -> list[str]:
        mounts = spark_jvm.mounts(self._place.staging, names)
        ours = spark_jvm.settings(self._place.state / "spark", self._place.cores)
        ours |= {f"spark.hadoop.{key}": value for key, value in mounts.items()}
        ours |= {"spark.driver.extraJavaOptions": spark_jvm.QUICK_COMPILER}
        options = submit_options(job.parameters)
        properties = ours | local_properties({**job.properties, **options.properties})
        words = [word for key, value in properties.items() for word in ("--conf", f"{key}={value}")]
        py_files = ["--py-files", ",".join(options.py_files)] if options.py_files else []
        program = str(spark_jvm.spark_home() / "bin" / "spark-submit")
        return [program, *words, *py_files, job.entry_point, *job.arguments]

    def stop(self) -> None:
        """End a running spark-submit."""
        if self._process:
            spark_guard.end(self._process)
