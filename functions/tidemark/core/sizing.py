"""Decides how large a Spark run is, from the batch's bytes. Pure.

By default EMR Serverless would start 16 vCPU and 64 GB for every batch; most micro-batches need one small worker. See
docs/aws-facts.md#emr-worker-sizes and docs/aws-facts.md#emr-quotas-and-rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

MB = 1 << 20
#: Bytes in memory per byte in S3: gzipped JSON grows about eightfold when read; the Parquet of nightly jobs is
#: assumed to grow as much.
EXPANSION = 8
BYTES_PER_CORE = 512 * MB  # expanded input for each core
#: Limits the JVM to its quick compiler. The optimizing compiler takes longer than a small batch gains from it: 50 MB of
#: JSON in a fresh JVM took 19 s of CPU time with the quick compiler alone, 27 to 31 s with both (docs/performance.md).
QUICK_COMPILER = "-XX:TieredStopAtLevel=1"
EXECUTORS_MAX = 3  # of 4 cores each; with the driver they stay within the 16 vCPU of a new account
#: A worker's memory (GB) by its cores, and the share of the driver and of executors that is not heap. Each core of an
#: executor has a Python process that reads files, beside the heap: it took 0.3 to 0.9 GB (docs/performance.md#memory).
#: EMR ends a worker that takes more than heap and overhead together.
WORKER_GB = {1: 4, 2: 8, 4: 16}
DRIVER_OVERHEAD, EXECUTOR_OVERHEAD = 1 / 4, 1 / 2
LARGEST_GB = 30  # of a worker of 4 cores (docs/aws-facts.md#emr-worker-sizes)
#: How often a batch gets larger workers, each time with at least twice the memory for each task.
LARGER_MAX = 2


@dataclass(frozen=True)
class Worker:
    cores: int
    memory_gb: int
    overhead: float  # share of the memory that is not heap

    def spark_conf(self, role: str) -> dict[str, str]:
        """The worker as Spark properties; heap and overhead together are the whole worker."""
        heap_mb = int(self.memory_gb * 1024 * (1 - self.overhead))
        return {
            f"spark.{role}.cores": str(self.cores),
            f"spark.{role}.memory": f"{heap_mb}m",
            f"spark.{role}.memoryOverhead": f"{self.memory_gb * 1024 - heap_mb}m",
        }


@dataclass(frozen=True)
class RunSize:
    driver: Worker
    executor: Worker
    executors: int
    disk_gb: int
    partitions: int
    task_cores: int = 1  # cores that a task takes, and with them their share of the executor's memory

    @property
    def cores(self) -> int:
        """The vCPUs that the run may hold at once, its driver included."""
        return self.driver.cores + self.executors * self.executor.cores

    @property
    def memory_gb(self) -> int:
        """The memory that the run may hold at once, its driver included."""
        return self.driver.memory_gb + self.executors * self.executor.memory_gb

    @property
    def tasks(self) -> int:
        """How many tasks run at once."""
        return self.executors * self.executor.cores // self.task_cores

    @property
    def task_gb(self) -> float:
        """The memory of a worker for each task that runs in it at once."""
        return self.executor.memory_gb * self.task_cores / self.executor.cores

    def spark_conf(self) -> dict[str, str]:
        """The size as Spark properties; dynamic allocation may shrink the run and never grows it.

        EMR fails a run at once whose initial executors are not between the least and the most
        (docs/aws-facts.md#emr-executors).
        """
        java = {f"spark.{role}.extraJavaOptions": QUICK_COMPILER for role in ("driver", "executor")}
        return {
            **(java if self.executor.cores == 1 else {}),
            **self.driver.spark_conf("driver"),
            **self.executor.spark_conf("executor"),
            "spark.task.cpus": str(self.task_cores),
            "spark.executor.instances": str(self.executors),
            "spark.dynamicAllocation.minExecutors": "1",
            "spark.dynamicAllocation.initialExecutors": str(self.executors),
            "spark.dynamicAllocation.maxExecutors": str(self.executors),
            "spark.emr-serverless.driver.disk": "20g",
            "spark.emr-serverless.executor.disk": f"{self.disk_gb}g",
            "spark.sql.shuffle.partitions": str(self.partitions),
        }


def run_size(input_bytes: int, enlarged: int = 0) -> RunSize:
    """The size for a batch of `input_bytes` in S3, whose runs were too small `enlarged` times before."""
    return _larger(_usual(input_bytes), enlarged) if enlarged else _usual(input_bytes)


def is_faster_larger(input_bytes: int) -> bool:
    """Whether the next larger size has more cores, and not just more memory for each task."""
    return run_size(input_bytes, 1).tasks > run_size(input_bytes).tasks


def _usual(input_bytes: int) -> RunSize:
    cores = max(1, math.ceil(input_bytes * EXPANSION / BYTES_PER_CORE))
    if cores == 1:
        return RunSize(_driver(1), _executor(1), 1, 20, 2)
    if cores <= 4:
        return RunSize(_driver(1), _executor(cores if cores != 3 else 4), 1, 20, 2 * cores)
    executors = min(EXECUTORS_MAX, math.ceil(cores / 4))
    disk_gb = min(200, max(20, math.ceil(input_bytes * EXPANSION / executors / (1 << 30)) + 20))
    return RunSize(_driver(2), _executor(4), executors, disk_gb, max(2 * cores, 8))


def _larger(size: RunSize, enlarged: int) -> RunSize:
    """The size with twice the memory for each task, or with all memory of the largest worker for a single one.

    If there are several executors, they keep their size and run half as many tasks at once: thirty GB for each of them
    would be more than a new account has.
    """
    driver = Worker(2, 16, DRIVER_OVERHEAD)
    largest = Worker(4, LARGEST_GB, EXECUTOR_OVERHEAD)
    if enlarged == 1 and size.executors > 1:
        return replace(size, driver=driver, task_cores=2)
    tasks_at_once = 4 if enlarged == 1 else 1
    return replace(
        size, driver=driver, executor=largest, executors=1, disk_gb=200, task_cores=4 // tasks_at_once,
        partitions=max(size.partitions, 8),
    )  # fmt: skip


def _driver(cores: int) -> Worker:
    return Worker(cores, WORKER_GB[cores], DRIVER_OVERHEAD)


def _executor(cores: int) -> Worker:
    return Worker(cores, WORKER_GB[cores], EXECUTOR_OVERHEAD)
