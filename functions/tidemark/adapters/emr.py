"""Job runs on EMR Serverless: start one per attempt, find it again, read its state.

What EMR promises is in docs/aws-facts.md#emr-client-tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from tidemark.core.error_texts import call_kind
from tidemark.core.errors import Transient
from tidemark.core.job_code import ENTRY, MODULES, PACKAGES
from tidemark.observability import logger

ACTIVE = frozenset({"SUBMITTED", "QUEUED", "PENDING", "SCHEDULED", "RUNNING", "CANCELLING"})
#: States of an application in which it may be updated or deleted, and in which it may be stopped
#: (docs/aws-facts.md#emr-application-states).
AT_REST = frozenset({"CREATED", "STOPPED", "TERMINATED"})
STOPPABLE = frozenset({"STARTING", "STARTED"})
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
    def __init__(self, client: Any, application_id: str, role_arn: str) -> None:
        self.client, self.application_id, self.role_arn = client, application_id, role_arn

    def start(
        self,
        name: str,
        token: str,
        code_uri: str,
        spec_uri: str,
        conf: Mapping[str, str],
        tags: Mapping[str, str],
        policy: str,
    ) -> str:
        """Starts a run and returns its id; with a token that EMR has seen, returns the id of the run that it started.

        code_uri: where the run's code is, without a slash at the end
        policy:   narrows the role for this run

        Raises `Transient` when EMR refuses the call for its rate or quota (docs/aws-facts.md#emr-quotas-and-rates) or
        for a fault of its own; the next hint starts the run.
        """
        # A run's own parameters override the application's defaults (docs/aws-facts.md#emr-spark-parameters).
        code = {"spark.archives": f"{code_uri}/{PACKAGES}#python"}
        parameters = [
            f"--py-files {code_uri}/{MODULES}",
            *(f"--conf {k}={v}" for k, v in (code | dict(conf)).items()),
        ]
        request = {
            "applicationId": self.application_id,
            "clientToken": token,
            "executionRoleArn": self.role_arn,
            "name": name,
            "jobDriver": {
                "sparkSubmit": {
                    "entryPoint": f"{code_uri}/{ENTRY}",
                    "entryPointArguments": ["--spec", spec_uri],
                    "sparkSubmitParameters": " ".join(parameters),
                }
            },
            "executionTimeoutMinutes": RUN_MINUTES_MAX,
            "tags": dict(tags),
        }
        try:
            reply = self._start(request, policy)
        except ClientError as error:
            if call_kind(error.response["Error"]["Code"]) == "transient":
                raise Transient(str(error)) from error
            raise
        return str(reply["jobRunId"])

    def _start(self, request: Mapping[str, Any], policy: str) -> Mapping[str, Any]:
        """Starts the run; without its policy if Lambda's own SDK is too old to know the parameter."""
        try:
            return dict(self.client.start_job_run(**request, executionIamPolicy={"policy": policy}))
        except ParamValidationError as error:
            logger.warning("run not narrowed to its batch: the SDK is too old", reason=str(error))
            return dict(self.client.start_job_run(**request))

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
