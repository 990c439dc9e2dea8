"""Job runs on EMR Serverless: start one per attempt, find it again, read its state.

What EMR promises is in docs/aws-facts.md#emr-client-tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from tidemark.core.errors import Transient

ACTIVE = frozenset({"SUBMITTED", "QUEUED", "PENDING", "SCHEDULED", "RUNNING", "CANCELLING"})
#: States of an application in which it may be updated or deleted, and in which it may be stopped
#: (docs/aws-facts.md#emr-application-states).
AT_REST = frozenset({"CREATED", "STOPPED", "TERMINATED"})
STOPPABLE = frozenset({"STARTING", "STARTED"})
#: EMR refused the call for its rate or quota (docs/aws-facts.md#emr-quotas-and-rates); the next hint starts the run.
THROTTLED = ("ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException")
RUN_MINUTES_MAX = 120


@dataclass(frozen=True)
class Run:
    run_id: str
    name: str
    state: str
    details: str  # EMR's explanation of the state
    seconds: float = 0  # duration, once the run has ended
    minutes_max: int = RUN_MINUTES_MAX  # EMR cancels the run after this time

    @property
    def active(self) -> bool:
        """Whether the state may still change."""
        return self.state in ACTIVE

    @property
    def succeeded(self) -> bool:
        """Whether the run has ended without an error."""
        return self.state == "SUCCESS"


class Engine:
    def __init__(self, client: Any, application_id: str, role_arn: str, code_uri: str) -> None:
        self.client, self.application_id, self.role_arn, self.code_uri = (
            client,
            application_id,
            role_arn,
            code_uri,
        )

    def start(self, name: str, token: str, spec_uri: str, conf: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """Starts a run and returns its id; with a token that EMR has seen, returns the id of the run that it started.

        Raises `Transient` when EMR throttles the call.
        """
        parameters = [
            f"--py-files {self.code_uri}/spark_jobs.zip",
            *(f"--conf {k}={v}" for k, v in conf.items()),
        ]
        try:
            reply = self.client.start_job_run(
                applicationId=self.application_id,
                clientToken=token,
                executionRoleArn=self.role_arn,
                name=name,
                jobDriver={
                    "sparkSubmit": {
                        "entryPoint": f"{self.code_uri}/run_batch.py",
                        "entryPointArguments": ["--spec", spec_uri],
                        "sparkSubmitParameters": " ".join(parameters),
                    }
                },
                executionTimeoutMinutes=RUN_MINUTES_MAX,
                tags=dict(tags),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in THROTTLED:
                raise Transient(str(error)) from error
            raise
        return str(reply["jobRunId"])

    def find(self, name: str, since: datetime) -> str | None:
        """Returns the id of the latest run of that name created after `since`, less a minute; None without one.

        It serves when EMR may no longer know the client token.
        """
        return next((run_id for run_name, run_id in self.named(since) if run_name == name), None)

    def named(self, since: datetime) -> Iterator[tuple[str, str]]:
        """Yields name and id of every run created after `since`, less a minute as clocks may differ; latest first."""
        request: dict[str, Any] = {
            "applicationId": self.application_id,
            "createdAtAfter": since - timedelta(minutes=1),
            "maxResults": 50,
        }
        yield from ((str(run.get("name", "")), str(run["id"])) for run in self._listed(request))

    def _listed(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        while True:
            page = self.client.list_job_runs(**request)
            yield from page["jobRuns"]
            if not page.get("nextToken"):
                return
            request["nextToken"] = page["nextToken"]

    def unfinished(self) -> list[str]:
        """Returns the names of the application's runs that have not ended, of any age."""
        request: dict[str, Any] = {"applicationId": self.application_id, "states": sorted(ACTIVE), "maxResults": 50}
        return [str(run.get("name", run["id"])) for run in self._listed(request)]

    def stop_application(self) -> bool:
        """Stops the application, if it is started; returns whether it is at rest.

        It takes EMR some seconds, so this is to be repeated. Raises `Transient` when a run has started meanwhile.
        """
        state = self.client.get_application(applicationId=self.application_id)["application"]["state"]
        if state in STOPPABLE:
            try:
                self.client.stop_application(applicationId=self.application_id)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ValidationException":
                    raise Transient(str(error)) from error
                raise
        return state in AT_REST

    def run(self, run_id: str) -> Run | None:
        """Returns the present state of a run; None when EMR does not know it."""
        try:
            job_run = self.client.get_job_run(applicationId=self.application_id, jobRunId=run_id)["jobRun"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return Run(
            run_id,
            job_run.get("name", ""),
            job_run["state"],
            job_run.get("stateDetails", ""),
            _seconds(job_run),
            job_run.get("executionTimeoutMinutes", RUN_MINUTES_MAX),
        )


def _seconds(job_run: Mapping[str, Any]) -> float:
    """Returns the duration of an ended run; 0 if it never started."""
    if "totalExecutionDurationSeconds" in job_run:
        return float(job_run["totalExecutionDurationSeconds"])
    if job_run.get("startedAt") and job_run.get("endedAt"):
        return float((job_run["endedAt"] - job_run["startedAt"]).total_seconds())
    return 0.0
