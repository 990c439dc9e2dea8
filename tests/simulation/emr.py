"""EMR Serverless: runs take time, end as the seed says, and sometimes go on after they were cancelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.faults import Faults, refuse
from tests.simulation.job import DataStore, RunFailed, report_failure
from tests.simulation.nights import run_job
from tests.simulation.s3 import SimS3
from tests.simulation.stage import Stage
from tidemark.core.files import split_uri

PASSING = ("transient", "capacity")
KILLED = "ExitCode: 137. Last few exceptions: Worker has been killed as memory usage exceeded configured memory size"
DETAIL = {"FAILED": "Job failed, please check complete logs", "SUCCESS": ""}


@dataclass
class SimRun:
    run_id: str
    name: str
    told: bytes  # the job spec that it read when it started
    entry: str  # URI of the code's entry point
    outcome: str  # drawn from the seed: good | transient | capacity | unknown | late | empty | short | blames | killed
    created_at: datetime
    parameters: str = ""  # of spark-submit
    state: str = "SUBMITTED"
    details: str = ""


class SimEMR:
    def __init__(
        self, call: Callable[..., Any], stage: Stage, faults: Faults, s3: SimS3, data: DataStore,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:  # fmt: skip
        self.call, self.stage, self.faults, self.s3, self.data, self.tell = call, stage, faults, s3, data, tell
        self.runs: list[SimRun] = []
        self.state = "CREATED"  # of the application; a run starts it
        self.tokens: dict[str, tuple[SimRun, datetime | None]] = {}
        self.run_seconds: Callable[[], float] = lambda: self.faults.rng.uniform(20, 240)
        self.script: list[str] = []  # outcomes of the next runs, instead of the seed's
        self.blamed: dict[str, str] = {}  # the file that runs of outcome `blames` name
        self.doubled: list[str] = []  # attempts that got a second run although EMR still knew the first one

    # ── operations ──────────────────────────────────────────────────────────────────────────────────────────

    def start_job_run(self, clientToken: str, name: str, jobDriver: Any, **_: Any) -> dict[str, Any]:  # noqa: N803
        return self.call("emr.StartJobRun", lambda: {"jobRunId": self._start(clientToken, name, **jobDriver).run_id})

    def list_job_runs(
        self,
        applicationId: str,  # noqa: N803
        maxResults: int,  # noqa: N803
        createdAtAfter: datetime | None = None,  # noqa: N803
        states: Sequence[str] = (),
        nextToken: str = "0",  # noqa: N803
    ) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            found = [
                run
                for run in reversed(self.runs)
                if (createdAtAfter is None or run.created_at >= createdAtAfter) and (not states or run.state in states)
            ]
            start, size = int(nextToken), min(maxResults, 5)
            page: dict[str, Any] = {
                "jobRuns": [{"id": run.run_id, "name": run.name} for run in found[start : start + size]]
            }
            return page | ({"nextToken": str(start + size)} if start + size < len(found) else {})

        return self.call("emr.ListJobRuns", effect)

    def get_job_run(self, applicationId: str, jobRunId: str) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            run = self._run(jobRunId, "GetJobRun")
            return {"jobRun": {"name": run.name, "state": run.state, "stateDetails": run.details}}

        return self.call("emr.GetJobRun", effect)

    def get_application(self, applicationId: str) -> dict[str, Any]:  # noqa: N803
        return self.call("emr.GetApplication", lambda: {"application": {"state": self.state}})

    def stop_application(self, applicationId: str) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            if any(run.state == "SUBMITTED" for run in self.runs):
                raise refuse("ValidationException", "StopApplication")
            self.state = "STOPPED"
            return {}

        return self.call("emr.StopApplication", effect)

    # ── how they work ───────────────────────────────────────────────────────────────────────────────────────

    def _start(self, token: str, name: str, sparkSubmit: dict[str, Any]) -> SimRun:  # noqa: N803
        known, until = self.tokens.get(token, (None, None))
        if known and (until is None or self.stage.time < until):
            return known
        told, entry = self.s3.objects[split_uri(sparkSubmit["entryPointArguments"][1])], sparkSubmit["entryPoint"]
        parameters = sparkSubmit["sparkSubmitParameters"]
        run = SimRun(f"run{len(self.runs):05d}", name, told, entry, self._outcome(), self.stage.time, parameters)
        if known:
            self.faults.count("second_run_of_an_attempt")
        elif any(run.name == name for run in self.runs):
            self.doubled.append(name)
        self.runs.append(run)
        self.state = "STARTED"
        forgotten = self.faults.chance("token_forgotten")
        until = self.stage.time + timedelta(minutes=self.faults.rng.uniform(1, 15)) if forgotten else None
        self.tokens[token] = (run, until)
        self.stage.after(self.run_seconds(), f"run {run.run_id}", lambda: self._end(run))
        return run

    def _outcome(self) -> str:
        if self.script:
            return self.script.pop(0)
        kinds = {
            "run_short": "short",
            "run_transient": "transient",
            "run_unknown": "unknown",
            "run_dies_late": "late",
            "run_no_result": "empty",
        }
        found = next((outcome for kind, outcome in kinds.items() if self.faults.chance(kind)), "good")
        return self.faults.rng.choice(("transient", "capacity")) if found == "transient" else found

    def _end(self, run: SimRun) -> None:
        run.state = self._work(run)
        run.details = run.details or DETAIL[run.state]
        if run.state == "FAILED" and run.outcome in PASSING and self.faults.chance("zombie"):
            # EMR reports the run as ended while its executors go on: they write their output long after the attempt.
            seconds = self.faults.rng.uniform(60, 1500)
            self.stage.after(seconds, f"zombie {run.run_id}", lambda: self._write(run, f"{run.run_id}z"))
        self.tell(self._event(run))

    def _work(self, run: SimRun) -> str:
        """Do the run's work and return the state in which it ends."""
        if run.outcome == "transient":
            report_failure(self.s3, run.told, "transient", "SlowDown: please reduce your request rate")
        elif run.outcome == "blames":
            report_failure(self.s3, run.told, "file", "not a JSON file", self.blamed)
        elif run.outcome == "capacity":
            run.details = "Insufficient capacity available"
        elif run.outcome == "killed":
            run.details = KILLED
        if run.outcome in (*PASSING, "unknown", "blames", "killed"):
            return "FAILED"
        return "FAILED" if not self._write(run, run.run_id) or run.outcome == "late" else "SUCCESS"

    def _write(self, run: SimRun, run_id: str) -> bool:
        """Write the run's output, in files named after `run_id`; False if the job fails."""
        try:
            if run.outcome != "empty":
                run_job(self.s3, self.data, run.told, run_id, short=run.outcome == "short")
        except RunFailed as failed:
            run.details = str(failed)
            return False
        return True

    def _run(self, run_id: str, operation: str) -> SimRun:
        run = next((run for run in self.runs if run.run_id == run_id), None)
        if run is None:
            raise refuse("ResourceNotFoundException", operation)
        return run

    def _event(self, run: SimRun) -> dict[str, Any]:
        detail = {"jobRunId": run.run_id, "applicationId": "app", "state": run.state}
        return {"source": "aws.emr-serverless", "detail-type": "EMR Serverless Job Run State Change", "detail": detail}
