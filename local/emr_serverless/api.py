"""EMR Serverless on the laptop: AWS's API, states, queueing and events, with a `JobRunner` that runs the jobs."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from local.emr_serverless.applications import (
    SERVICE,
    SOURCE,
    Activity,
    Application,
    Applications,
    Emit,
    Tokens,
    new_id,
    now,
    page,
)
from local.emr_serverless.capacity import Capacity, maximum, refusal
from local.emr_serverless.job_runs import (
    DEFAULT_TIMEOUT_MINUTES,
    FINAL,
    LONGEST_DETAILS,
    WAITING,
    Attempt,
    Run,
    as_answer,
    as_attempt,
    as_summary,
    attempts_detail,
    check_job,
    detail,
    failure_details,
    is_listed,
    job_spec,
    refused_at_start,
    session_policy,
    sizes,
)
from local.emr_serverless.usage import Worker
from local.endpoint.protocol import ApiError, Call, application
from local.spark.runner import JobRunner, Outcome

log = logging.getLogger(__name__)
ENDED_WAITING = Outcome(143, "terminated while it waited for resources")


class EmrServerlessApp:
    """WSGI app. `emit(source, detail type, detail, resources)` receives the events; `runner` runs the jobs.

    Events are emitted in order and under a lock, so `emit` must not block or call back.

    `minute` is the length in seconds of a minute of executionTimeoutMinutes; tests shorten it. A job runs within
    `in_session(ARN of its role, its session policy)`.
    """

    def __init__(
        self,
        emit: Emit,
        runner: JobRunner,
        minute: float = 60.0,
        in_session: Callable[[str, str | None], AbstractContextManager[None]] = lambda *_: nullcontext(),
    ) -> None:
        self._emit, self._runner, self._minute, self._in_session = emit, runner, minute, in_session
        self._lock = threading.RLock()
        self._runs: dict[str, Run] = {}
        self._tokens = Tokens()
        self._capacities: defaultdict[str, Capacity] = defaultdict(Capacity)  # by application
        self.applications = Applications(emit, self._activity, minute)
        self._wsgi = application(SERVICE, self.applications.handlers() | self._handlers())

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self._wsgi(environ, start_response)

    def forget_client_tokens(self) -> None:
        """Simulates the expiry of all client tokens (AWS does not document how long it keeps them)."""
        with self._lock:
            self._tokens = Tokens()
        self.applications.forget_tokens()

    def stop(self) -> None:
        """Cancel all runs and stop the runner."""
        for run in list(self._runs.values()):
            run.cancelled.set()
        self._runner.stop()

    def _handlers(self) -> dict[str, Callable[[Call], dict[str, Any]]]:
        return {
            "StartJobRun": self._start,
            "GetJobRun": lambda call: {"jobRun": as_answer(self._find(call), call.parameters.get("attempt"))},
            "ListJobRuns": self._list,
            "CancelJobRun": self._cancel,
            "ListJobRunAttempts": self._list_attempts,
            "ListTagsForResource": lambda call: {"tags": self._tags(call)[1]},
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }

    def _activity(self, application_id: str) -> Activity:
        runs = [run for run in list(self._runs.values()) if run.application.id == application_id]
        unfinished = sum(run.state not in FINAL for run in runs)
        return Activity(unfinished, max((run.updated_at for run in runs), default=None))

    # ---- operations

    def _start(self, call: Call) -> dict[str, Any]:
        check_job(call.parameters)
        with self._lock:
            known = self._tokens.find(call.parameters)
            run = self._runs[known] if known else self._submit(call)
        self._dispatch()
        return {"applicationId": run.application.id, "jobRunId": run.id, "arn": run.arn}

    def _submit(self, call: Call) -> Run:
        owner = self.applications.started(call)
        time = now()
        run = Run(new_id(), owner, call.parameters, call.caller, time, time, (Attempt(1, time, time),))
        self._runs[run.id] = run
        self._tokens.remember(call.parameters, run.id)
        return run

    def _find(self, call: Call) -> Run:
        wanted = call.parameters["jobRunId"]
        run = self._runs.get(wanted)
        if run is None or run.application.id != self.applications.get(call).id:
            raise ApiError("ResourceNotFoundException", f"JobRun {wanted} does not exist")
        return run

    def _list(self, call: Call) -> dict[str, Any]:
        request, owner = call.parameters, self.applications.get(call)
        runs = [r for r in reversed(self._runs.values()) if r.application.id == owner.id and is_listed(r, request)]
        return page([as_summary(run) for run in runs], request, "jobRuns", "id")

    def _list_attempts(self, call: Call) -> dict[str, Any]:
        run = self._find(call)
        rows = [as_attempt(run, attempt) for attempt in reversed(run.attempts)]
        size = call.parameters.get("maxResults") or 50
        first = int(call.parameters.get("nextToken") or 0)
        more = {"nextToken": str(first + size)} if first + size < len(rows) else {}
        return {"jobRunAttempts": rows[first : first + size]} | more

    def _cancel(self, call: Call) -> dict[str, Any]:
        run = self._find(call)
        with self._lock:
            state = self._runs[run.id].state
            if state in FINAL:
                raise ApiError("ValidationException", f"JobRun {run.id} is in state {state} and cannot be cancelled")
            self._stop_run(run, "Job run was cancelled by the user")
        return {"applicationId": run.application.id, "jobRunId": run.id}

    def _stop_run(self, run: Run, why: str, used_up: int = 0) -> None:
        with self._lock:
            state = self._runs[run.id].state
            if state in (*FINAL, "CANCELLING"):
                return
            self._runs[run.id] = replace(self._runs[run.id], used_up=used_up)
            self._set(run.id, "CANCELLING", why)
            run.cancelled.set()
            if state in WAITING:
                self._set(run.id, "CANCELLED", why)

    # ---- running

    def _dispatch(self) -> None:
        """Start waiting runs, oldest first, while there is capacity; the others become QUEUED."""
        with self._lock:
            for run in [r for r in self._runs.values() if r.state in WAITING]:
                if self._active(run.application) < min(run.application.most_runs, self._runner.capacity):
                    self._set(run.id, "PENDING")
                    threading.Thread(target=self._work, args=(run.id,), name=f"emr-{run.id}", daemon=True).start()
                elif run.state == "SUBMITTED":
                    self._set(run.id, "QUEUED")

    def _active(self, owner: Application) -> int:
        runs = (r for r in self._runs.values() if r.application.id == owner.id)
        return sum(r.state not in (*WAITING, *FINAL) for r in runs)

    def _work(self, run_id: str) -> None:
        while self._attempt(run_id).state not in FINAL:
            pass
        self._dispatch()

    def _attempt(self, run_id: str) -> Run:
        """Run the latest attempt to its end; afterwards the run is final unless it has another attempt."""
        run = self._runs[run_id]
        self._set(run_id, "SCHEDULED")
        minutes = run.request.get("executionTimeoutMinutes", DEFAULT_TIMEOUT_MINUTES)
        words = f"Job run was cancelled: it took longer than executionTimeoutMinutes ({minutes})"
        timer = threading.Timer(minutes * self._minute, self._stop_run, (run, words, minutes * 60))
        timer.daemon = True
        if minutes:
            timer.start()
        try:
            outcome = self._run_with_workers(run)
        except Exception as error:  # noqa: BLE001 - any error of the runner fails the run, as on AWS
            outcome = Outcome(1, f"{type(error).__name__}: {error}")
        timer.cancel()
        self._capacities[run.application.id].release(run_id)
        return self._finish(run_id, outcome)

    def _run_with_workers(self, run: Run) -> Outcome:
        """Run the job once its driver and one executor have their resources.

        The driver starts as soon as it has its own, and then waits for the executor: running, and billed.
        """
        spec = job_spec(run.id, run.request)
        driver, *executors = sizes(spec)
        if not self._allocated(run, driver):
            return ENDED_WAITING
        self._set(run.id, "RUNNING")
        if executors and not self._allocated(run, executors[0]):
            return ENDED_WAITING
        for executor in executors[1:]:  # Spark goes on with those that it gets
            self._capacities[run.application.id].take(run.id, executor, maximum(run.application.properties))
        if refused := refused_at_start(spec):
            return Outcome(1, refused)
        with self._in_session(run.request["executionRoleArn"], session_policy(run.request)):
            return self._runner.run(spec, run.cancelled)

    def _allocated(self, run: Run, worker: Worker) -> bool:
        """Wait until the worker has its resources; False if the run is cancelled before."""
        capacity, limit = self._capacities[run.application.id], maximum(run.application.properties)
        told = False
        while exceeded := capacity.take(run.id, worker, limit):
            if not told:
                log.warning("%s: %s", run.id, refusal(exceeded))
                told = True
            capacity.wait()
            if run.cancelled.is_set():
                return False
        return True

    def _finish(self, run_id: str, outcome: Outcome) -> Run:
        with self._lock:
            run = self._runs[run_id]
            if run.state == "CANCELLING":
                return self._set(run_id, "CANCELLED", run.attempt.details)
            if outcome.exit_code == 0:
                return self._set(run_id, "SUCCESS")
            if run.attempt.number < run.request.get("retryPolicy", {}).get("maxAttempts", 1):
                return self._retry(run, failure_details(outcome))
            return self._set(run_id, "FAILED", failure_details(outcome))

    def _retry(self, run: Run, details: str) -> Run:
        time = now()
        failed = replace(run.attempt, state="FAILED", details=details, updated_at=time)
        following = Attempt(failed.number + 1, time, time, "PENDING")
        run = replace(run, attempts=(*run.attempts[:-1], failed, following), updated_at=time)
        self._runs[run.id] = run
        self._emit(SOURCE, "EMR Serverless Job Run Retry", detail(run) | attempts_detail(failed, following), [])
        return run

    def _set(self, run_id: str, state: str, details: str = "") -> Run:
        """Set a run's state and emit the event. A final run does not change; a cancelling run can only become final."""
        with self._lock:
            before, time = self._runs[run_id], now()
            if before.state in FINAL or (before.state == "CANCELLING" and state not in FINAL):
                return before
            attempt = replace(before.attempt, state=state, details=details[:LONGEST_DETAILS], updated_at=time)
            run = replace(before, attempts=(*before.attempts[:-1], attempt), updated_at=time)
            run = replace(run, started_at=time) if state == "RUNNING" and not run.started_at else run
            run = replace(run, ended_at=time) if state in FINAL else run
            self._runs[run_id] = run
            change = {"state": state, "previousState": before.state}
            self._emit(SOURCE, "EMR Serverless Job Run State Change", detail(run) | change, [])
        return run

    # ---- tags

    def _tags(self, call: Call) -> tuple[Run | Application, dict[str, str]]:
        arn = call.parameters["resourceArn"]
        run = next((r for r in self._runs.values() if r.arn == arn), None)
        if run:
            return run, dict(run.request.get("tags", {}))
        owner = self.applications.by_arn(arn)
        if owner is None:
            raise ApiError("ResourceNotFoundException", f"{arn} does not exist")
        return owner, dict(owner.properties.get("tags", {}))

    def _tag(self, call: Call) -> dict[str, Any]:
        target, tags = self._tags(call)
        return self._set_tags(target, tags | call.parameters["tags"])

    def _untag(self, call: Call) -> dict[str, Any]:
        target, tags = self._tags(call)
        return self._set_tags(target, {k: v for k, v in tags.items() if k not in call.parameters["tagKeys"]})

    def _set_tags(self, target: Run | Application, tags: dict[str, str]) -> dict[str, Any]:
        with self._lock:
            if isinstance(target, Application):
                self.applications.set_tags(target, tags)
            else:
                run = self._runs[target.id]
                self._runs[run.id] = replace(run, request=run.request | {"tags": tags})
        return {}
