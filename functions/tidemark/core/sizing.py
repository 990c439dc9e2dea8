"""Decides how large a Spark run is, from the batch's bytes. Pure.

By default EMR Serverless would start 16 vCPU and 64 GB for every batch; most micro-batches need one small worker. See
docs/aws-facts.md#emr-worker-sizes and docs/aws-facts.md#emr-quotas-and-rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MB = 1 << 20
#: Bytes in memory per byte in S3: gzipped JSON grows about eightfold when read; the Parquet of nightly jobs is
#: assumed to grow as much.
EXPANSION = 8
BYTES_PER_CORE = 512 * MB  # expanded input for each core
#: Limits the JVM to its quick compiler. The optimizing compiler takes longer than a small batch gains from it: 50 MB of
#: JSON in a fresh JVM took 19 s of CPU time with the quick compiler alone, 27 to 31 s with both (docs/performance.md).
QUICK_COMPILER = "-XX:TieredStopAtLevel=1"
EXECUTORS_MAX = 3  # of 4 cores each; with the driver they stay within the 16 vCPU of a new account


@dataclass(frozen=True)
class RunSize:
    driver_cores: int
    driver_memory_gb: int
    executor_cores: int
    executor_memory_gb: int
    executors: int
    disk_gb: int
    partitions: int

    def spark_conf(self) -> dict[str, str]:
        """The size as Spark properties; dynamic allocation may shrink the run and never grows it."""
        java = {f"spark.{role}.extraJavaOptions": QUICK_COMPILER for role in ("driver", "executor")}
        return {
            **(java if self.executor_cores == 1 else {}),
            "spark.driver.cores": str(self.driver_cores),
            "spark.driver.memory": f"{self.driver_memory_gb}g",
            "spark.executor.cores": str(self.executor_cores),
            "spark.executor.memory": f"{self.executor_memory_gb}g",
            "spark.executor.instances": str(self.executors),
            "spark.dynamicAllocation.initialExecutors": str(self.executors),
            "spark.dynamicAllocation.maxExecutors": str(self.executors),
            "spark.emr-serverless.driver.disk": "20g",
            "spark.emr-serverless.executor.disk": f"{self.disk_gb}g",
            "spark.sql.shuffle.partitions": str(self.partitions),
        }


def run_size(input_bytes: int) -> RunSize:
    """The size for a batch of `input_bytes` in S3. With EMR's 10 % overhead, memory stays within a worker's limit."""
    cores = max(1, math.ceil(input_bytes * EXPANSION / BYTES_PER_CORE))
    if cores == 1:
        return RunSize(1, 3, 1, 3, 1, 20, 2)
    if cores <= 4:
        return RunSize(1, 3, cores if cores != 3 else 4, 7 if cores == 2 else 14, 1, 20, 2 * cores)
    executors = min(EXECUTORS_MAX, math.ceil(cores / 4))
    disk_gb = min(200, max(20, math.ceil(input_bytes * EXPANSION / executors / (1 << 30)) + 20))
    return RunSize(2, 7, 4, 14, executors, disk_gb, max(2 * cores, 8))
