"""What a run is billed."""

from typing import Any

import pytest

from local.emr_serverless.usage import contradiction
from tests.local.emr_serverless.conftest import JOB, ObedientRunner, reach, start


def test_a_short_run_is_billed_a_minute_per_worker(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """A short run of two workers with 1 vCPU and 3 GB (+384 MB) costs 2/60 vCPU hours and 6.75/60 GB hours."""
    run = start(emr, owner)
    runner.finish()
    done = reach(emr, owner, run, "SUCCESS")
    assert done["billedResourceUtilization"] == {"vCPUHour": 0.033, "memoryGBHour": 0.113, "storageGBHour": 0.0}
    assert done["totalResourceUtilization"]["vCPUHour"] == 0.0
    assert done["totalExecutionDurationSeconds"] == 0


ALLOCATION = "spark.dynamicAllocation."


@pytest.mark.parametrize(
    ("least", "initial", "most", "instances"),
    [("1", "1", "1", "1"), ("0", "2", "3", "2"), ("", "", "", ""), ("", "", "3", ""), ("", "2", "", "2")],
)
def test_numbers_of_executors_that_agree_are_taken(least: str, initial: str, most: str, instances: str) -> None:
    """What is not given is EMR's default: from none, three at first, without a limit."""
    given = {
        f"{ALLOCATION}minExecutors": least,
        f"{ALLOCATION}initialExecutors": initial,
        f"{ALLOCATION}maxExecutors": most,
        "spark.executor.instances": instances,
    }
    assert contradiction({name: number for name, number in given.items() if number}) == ""


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"minExecutors": "1", "maxExecutors": "2"}, "3 must be between spark.dynamicAllocation.minExecutor 1 and"),
        ({"initialExecutors": "1", "maxExecutors": "1", "minExecutors": "2"}, "1 must be between"),
        ({"initialExecutors": "4", "maxExecutors": "3"}, "4 must be between spark.dynamicAllocation.minExecutor 0"),
    ],
)
def test_numbers_of_executors_that_contradict_are_named(properties: dict[str, str], words: str) -> None:
    """The first is the thread's own example: three initial executors by default, and at most two."""
    found = contradiction({f"{ALLOCATION}{name}": number for name, number in properties.items()})
    assert found.startswith(f"Maximum value of spark.dynamicAllocation.initialExecutors: {words}")


def test_more_instances_than_executors_are_allowed_contradict() -> None:
    """The higher of instances and initial executors counts."""
    given = {f"{ALLOCATION}initialExecutors": "1", f"{ALLOCATION}maxExecutors": "1", "spark.executor.instances": "2"}
    assert "initialExecutors: 2 must be between" in contradiction(given)


def test_a_run_whose_executors_contradict_fails_before_its_code(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """As on AWS, the API takes it, and the run fails at once with EMR's words."""
    words = "--conf spark.dynamicAllocation.minExecutors=1 --conf spark.dynamicAllocation.maxExecutors=2"
    job = {"sparkSubmit": {**JOB["sparkSubmit"], "sparkSubmitParameters": words}}
    run = start(emr, owner, jobDriver=job)
    details = reach(emr, owner, run, "FAILED")["stateDetails"]
    assert details.endswith("minExecutor 1 and spark.dynamicAllocation.maxExecutors 2.")
    assert runner.jobs == []
