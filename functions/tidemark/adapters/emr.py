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
#: Over the rate (docs/aws-facts.md#emr-quotas-and-rates), the run is started by a later look.
THROTTLED = ("ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException")
RUN_MINUTES_MAX = 120


@dataclass(frozen=True)
class Run:
    run_id: str
    name: str
    state: str
    details: str  # EMR's words on the state
    seconds: float = 0  # that it ran, once it has ended
    minutes_max: int = RUN_MINUTES_MAX  # after which EMR ends it

    @property
    def active(self) -> bool:
        """Whether it may still change its state."""
        return self.state in ACTIVE

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
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
        """Start the run of that name, or get the id of the one that the token started before."""
        parameters = [
            f"--py-files {self.code_uri}/spark_jobs.zip",
            *(f"--conf {k}={v}" for k, v in conf.items()),
        ]
        try:
            answer = self.client.start_job_run(
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
        return str(answer["jobRunId"])

    def find(self, name: str, since: datetime) -> str | None:
        """The run of that name made after `since` (less a minute for clocks), should the token be forgotten."""
        return next((run_id for found, run_id in self.named(since) if found == name), None)

    def named(self, since: datetime) -> Iterator[tuple[str, str]]:
        """Name and id of every run made after `since` (less a minute for clocks), the latest first."""
        request: dict[str, Any] = {
            "applicationId": self.application_id,
            "createdAtAfter": since - timedelta(minutes=1),
            "maxResults": 50,
        }
        while True:
            page = self.client.list_job_runs(**request)
            yield from ((str(run.get("name", "")), str(run["id"])) for run in page["jobRuns"])
            if not page.get("nextToken"):
                return
            request["nextToken"] = page["nextToken"]

    def run(self, run_id: str) -> Run | None:
        """How a run is; None when EMR does not know it."""
        try:
            found = self.client.get_job_run(applicationId=self.application_id, jobRunId=run_id)["jobRun"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return Run(
            run_id,
            found.get("name", ""),
            found["state"],
            found.get("stateDetails", ""),
            _seconds(found),
            found.get("executionTimeoutMinutes", RUN_MINUTES_MAX),
        )


def _seconds(found: Mapping[str, Any]) -> float:
    """How long an ended run ran; 0 for one that never did."""
    if "totalExecutionDurationSeconds" in found:
        return float(found["totalExecutionDurationSeconds"])
    if found.get("startedAt") and found.get("endedAt"):
        return float((found["endedAt"] - found["startedAt"]).total_seconds())
    return 0.0
