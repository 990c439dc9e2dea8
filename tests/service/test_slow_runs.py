"""A run that reaches its time limit, from the laptop's EMR Serverless to the batch in quarantine."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.emr_serverless.api import EmrServerlessApp
from local.spark.runner import JobSpec, Outcome
from tests.local.stand_ins import client, eventually, served
from tests.service.nights import SETTINGS, NightWorld, advance
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import Batch, State
from tidemark.service.plan import form, plan
from tidemark.service.publish import publish
from tidemark.service.submit import submit

MINUTE = 0.0005  # seconds: two hours pass in 60 ms


class EndlessJobs:
    """Jobs that end when they are told to, and not before."""

    capacity = 4

    def run(self, job: JobSpec, cancelled: threading.Event) -> Outcome:
        cancelled.wait(10)
        return Outcome(143, "terminated")

    def stop(self) -> None:
        pass


@pytest.fixture
def slow_world(world: NightWorld) -> Iterator[NightWorld]:
    """The small world, with an EMR in which no run ever ends by itself."""
    app = EmrServerlessApp(lambda *_: None, EndlessJobs(), minute=MINUTE)
    with served(app) as url:
        emr: Any = client("emr-serverless", url)
        made = emr.create_application(name="spark", releaseLabel="emr-7.14.0", type="SPARK")
        settings = replace(
            SETTINGS, spark_application_id=made["applicationId"], job_role_arn="arn:aws:iam::123456789012:role/JobRole"
        )
        yield NightWorld(settings, world.clock, {**world.clients, "emr-serverless": emr}, world.endpoint)
    app.stop()


def step(world: NightWorld, batch: Batch) -> None:
    """The batch's next step; a run is waited for."""
    if batch.state is State.FORMING:
        form(world, batch.batch_id)
    elif batch.state is State.PLANNED:
        submit(world, batch.batch_id)
    else:
        eventually(lambda: not world.engine.run(batch.run_id).active)  # type: ignore[union-attr]
        publish(world, batch.batch_id)


def test_files_whose_run_never_ends_are_halved_until_each_stands_alone(slow_world: NightWorld) -> None:
    """Four files cost twelve runs, not fifty of each batch; the reason in quarantine is the time limit."""
    files = [FileVersion("raw", f"shop/{n}.json", "v1", 1, "2026-11-22T00:00:00Z") for n in range(4)]
    slow_world.ledger.segments.put("shop", files, slow_world.clock.now())
    plan(slow_world, eager=True)
    while unfinished := slow_world.ledger.batches.open("shop"):
        advance(slow_world, hours=1)
        for batch in unfinished:
            step(slow_world, batch)
    batches, _ = slow_world.ledger.quarantine.contents()
    assert [batch.files for batch in batches] == [1, 1, 1, 1]
    assert {batch.reason for batch in batches} == {"the run did not finish within 120 minutes"}
    runs = slow_world.client("emr-serverless").list_job_runs(applicationId=slow_world.settings.spark_application_id)
    ended = Counter(run["state"] for run in runs["jobRuns"])
    assert ended == {"CANCELLED": 2 + 2 * 1 + 4 * 2}
