"""What a run is billed."""

from typing import Any

from tests.local.emr_serverless.conftest import ObedientRunner, reach, start


def test_a_short_run_is_billed_a_minute_per_worker(emr: Any, owner: str, runner: ObedientRunner) -> None:
    """A short run of two workers with 1 vCPU and 3 GB (+384 MB) costs 2/60 vCPU hours and 6.75/60 GB hours."""
    run = start(emr, owner)
    runner.finish()
    done = reach(emr, owner, run, "SUCCESS")
    assert done["billedResourceUtilization"] == {"vCPUHour": 0.033, "memoryGBHour": 0.113, "storageGBHour": 0.0}
    assert done["totalResourceUtilization"]["vCPUHour"] == 0.0
    assert done["totalExecutionDurationSeconds"] == 0
