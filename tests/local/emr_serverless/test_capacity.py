"""Workers get resources up to the application's maximum capacity, drivers like executors."""

from __future__ import annotations

from typing import Any

import pytest

from local.emr_serverless.capacity import Capacity, Resources, maximum, needed, refusal
from local.emr_serverless.usage import Worker
from tests.local.emr_serverless.conftest import ObedientRunner, start
from tests.local.stand_ins import eventually

SMALL = Worker(1, 3.375)  # a heap of 3 GB and Spark's overhead: a worker of 4 GB


@pytest.mark.parametrize(
    ("limits", "resources"),
    [
        ({"cpu": "16 vCPU", "memory": "64 GB", "disk": "1000 GB"}, Resources(16, 64, 1000)),
        ({"cpu": "16vcpu", "memory": "64gb"}, Resources(16, 64, float("inf"))),
        ({}, Resources(float("inf"), float("inf"), float("inf"))),
    ],
)
def test_limits_are_read_in_every_spelling(limits: dict[str, str], resources: Resources) -> None:
    """What is not limited has no end."""
    assert maximum({"maximumCapacity": limits}) == resources


def test_memory_counts_in_whole_gigabytes() -> None:
    """As EMR's worker sizes do."""
    assert needed(SMALL) == Resources(1, 4, 20)


@pytest.mark.parametrize(
    ("limit", "exceeded"),
    [
        (Resources(2, 8, 40), []),
        (Resources(1, 8, 40), ["cpu: 1 vCPU"]),
        (Resources(2, 7, 39), ["memory: 7 GB", "disk: 39 GB"]),
    ],
)
def test_the_second_worker_is_refused_by_what_it_would_exceed(limit: Resources, exceeded: list[str]) -> None:
    """AWS names the resources; what the first run releases is free again."""
    capacity = Capacity()
    assert capacity.take("first", SMALL, limit) == []
    assert capacity.take("second", SMALL, limit) == exceeded
    capacity.release("first")
    assert capacity.take("second", SMALL, limit) == []


def test_the_refusal_has_awss_name() -> None:
    """It is what people search for."""
    assert refusal(["cpu: 1 vCPU"]).startswith("ApplicationMaxCapacityExceededException: ")


@pytest.fixture
def limited(emr: Any, runner: ObedientRunner) -> str:
    """An application of 5 vCPU: two runs of the smallest size, and one driver."""
    runner.capacity = 9
    capacity = {"cpu": "5 vCPU", "memory": "64 GB", "disk": "1000 GB"}
    asked = {"name": "spark", "releaseLabel": "emr-7.14.0", "type": "SPARK", "maximumCapacity": capacity}
    return str(emr.create_application(**asked)["applicationId"])


def state(emr: Any, owner: str, run: str) -> str:
    return str(emr.get_job_run(applicationId=owner, jobRunId=run)["jobRun"]["state"])


def fill(emr: Any, owner: str, runner: ObedientRunner) -> list[str]:
    """Starts two runs with all workers, and one whose driver waits for its executor."""
    runs = []
    for number, jobs in enumerate((1, 2, 2)):
        runs.append(start(emr, owner, f"t{number}"))
        eventually(lambda jobs=jobs: state(emr, owner, runs[-1]) == "RUNNING" and len(runner.jobs) == jobs)
    return runs


def test_a_driver_without_executors_runs_and_waits(emr: Any, limited: str, runner: ObedientRunner) -> None:
    """It is billed meanwhile, and a further run has not even a driver; both go on when a run has ended."""
    runs = fill(emr, limited, runner)
    without_driver = start(emr, limited, "last")
    eventually(lambda: state(emr, limited, without_driver) == "SCHEDULED")
    assert len(runner.jobs) == 2
    runner.finish()
    eventually(lambda: len(runner.jobs) == 3)
    for _ in range(3):
        runner.finish()
    eventually(lambda: {state(emr, limited, run) for run in [*runs, without_driver]} == {"SUCCESS"})


def test_a_run_that_waits_for_executors_can_be_cancelled(emr: Any, limited: str, runner: ObedientRunner) -> None:
    """Its driver's resources are free again."""
    first, second, waiting = fill(emr, limited, runner)
    emr.cancel_job_run(applicationId=limited, jobRunId=waiting)
    eventually(lambda: state(emr, limited, waiting) == "CANCELLED")
    last = start(emr, limited, "t4")
    eventually(lambda: state(emr, limited, last) == "RUNNING")
    assert len(runner.jobs) == 2
    assert {state(emr, limited, run) for run in (first, second)} == {"RUNNING"}
