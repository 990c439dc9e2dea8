"""How many runs fit into the Spark application."""

from __future__ import annotations

import pytest

from tidemark.core.capacity import runs_that_fit
from tidemark.core.sizing import run_size


@pytest.mark.parametrize(
    ("cpu", "memory", "disk", "runs"),
    [
        ("16 vCPU", "64 GB", "1000 GB", 8),  # a new account: driver and executor of 1 vCPU and 4 GB each
        ("17 vCPU", "64 GB", "1000 GB", 8),
        ("400 vCPU", "64 GB", "1000 GB", 8),
        ("400 vCPU", "4000 GB", "1000 GB", 25),
        ("2 vCPU", "8 GB", "40 GB", 1),
        ("1 vCPU", "8 GB", "40 GB", 0),
        ("2 vCPU", "7 GB", "40 GB", 0),
        ("2 vCPU", "8 GB", "39 GB", 0),
    ],
)
def test_the_scarcest_of_cpu_memory_and_disk_limits_the_runs(cpu: str, memory: str, disk: str, runs: int) -> None:
    """Drivers count as executors do."""
    assert runs_that_fit(cpu, memory, disk) == runs


def test_one_run_less_than_fits_leaves_room_for_another() -> None:
    """By the size that submit gives the smallest batch."""
    size = run_size(0)
    assert [runs_that_fit(f"{size.cores * runs} vCPU", "9000 GB", "9000 GB") for runs in (1, 7)] == [1, 7]
