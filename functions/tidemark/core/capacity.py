"""How many job runs fit into the capacity of the Spark application at once. Pure.

The application's limits count drivers too. A driver for whose executors nothing is left waits, and is billed meanwhile
(docs/aws-facts.md#emr-application-capacity).
"""

from __future__ import annotations

from tidemark.core.sizing import run_size

DRIVER_DISK_GB = 20


def runs_that_fit(cpu: str, memory: str, disk: str) -> int:
    """How many runs of the smallest size fit into limits such as `16 vCPU`, `64 GB`, `1000 GB`; 0 if none does."""
    size = run_size(0)
    disk_gb = DRIVER_DISK_GB + size.executors * size.disk_gb
    return min(_amount(cpu) // size.cores, _amount(memory) // size.memory_gb, _amount(disk) // disk_gb)


def _amount(limit: str) -> int:
    return int(limit.split(maxsplit=1)[0])
