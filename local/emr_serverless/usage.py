"""A job run's billed resources, computed from its requested worker sizes as EMR Serverless does."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

DEFAULTS = {  # EMR Serverless's Spark defaults for jobs that set no sizes
    "spark.driver.cores": "4",
    "spark.driver.memory": "14G",
    "spark.executor.cores": "4",
    "spark.executor.memory": "14G",
    "spark.executor.instances": "3",
}
LEAST_EXECUTORS = 0  # spark.dynamicAllocation.minExecutors, unless it is set
GIBIBYTES = {"k": 2**-20, "m": 2**-10, "g": 1.0, "t": 1024.0}
LEAST_OVERHEAD = 384 / 1024  # GiB, Spark's minimum memory overhead per process
DISK = 20.0  # GB per worker free of charge
LEAST_SECONDS = 60.0  # minimum billed time per worker


@dataclass(frozen=True)
class Worker:
    cores: float
    memory: float  # GiB, including overhead
    disk: float = DISK  # GB


@dataclass(frozen=True)
class Usage:
    cpu: float  # vCPU hours
    memory: float  # GB hours
    storage: float  # GB hours

    def as_answer(self) -> dict[str, float]:
        """The shape of totalResourceUtilization and billedResourceUtilization."""
        return {"vCPUHour": self.cpu, "memoryGBHour": self.memory, "storageGBHour": self.storage}


def spark_properties(parameters: Sequence[str]) -> dict[str, str]:
    """The `--conf key=value` pairs in spark-submit's arguments; as in spark-submit, a key's last value wins."""
    pairs = [following for word, following in pairwise(parameters) if word in ("--conf", "-c")]
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def contradiction(properties: Mapping[str, str]) -> str:
    """EMR's words on numbers of executors that contradict each other; "" if they do not.

    A number that is not given is EMR's default; the highest of initial executors and instances counts.
    """
    least = int(properties.get("spark.dynamicAllocation.minExecutors", LEAST_EXECUTORS))
    given = properties.get("spark.dynamicAllocation.initialExecutors", DEFAULTS["spark.executor.instances"])
    initial = max(int(given), int(properties.get("spark.executor.instances", 0)))
    most = properties.get("spark.dynamicAllocation.maxExecutors")
    if properties.get("spark.dynamicAllocation.enabled", "true") == "false" or not most:
        return ""
    if least <= initial <= int(most):
        return ""
    return (
        f"Maximum value of spark.dynamicAllocation.initialExecutors: {initial} must be between"
        f" spark.dynamicAllocation.minExecutor {least} and spark.dynamicAllocation.maxExecutors {most}."
    )


def workers(properties: Mapping[str, str]) -> tuple[Worker, ...]:
    """The driver and the initial executors of a run."""
    effective = {**DEFAULTS, **properties}
    first = effective.get("spark.dynamicAllocation.initialExecutors", effective["spark.executor.instances"])
    count = max(int(first), int(properties.get("spark.executor.instances", 0)))
    return (_worker(effective, "driver"), *[_worker(effective, "executor")] * count)


def _worker(properties: Mapping[str, str], role: str) -> Worker:
    memory = gibibytes(properties[f"spark.{role}.memory"])
    overhead = properties.get(f"spark.{role}.memoryOverhead")
    extra = gibibytes(overhead) if overhead else max(memory / 10, LEAST_OVERHEAD)
    disk = gibibytes(properties.get(f"spark.emr-serverless.{role}.disk", f"{DISK:g}g"))
    return Worker(float(properties[f"spark.{role}.cores"]), memory + extra, disk)


def gibibytes(text: str) -> float:
    """Spark's memory text ("3g", "512m", plain MiB) in GiB; ValueError for anything else."""
    match = re.fullmatch(r"(\d+)([kmgt]?)b?", text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is not a memory size")
    return int(match.group(1)) * GIBIBYTES[match.group(2) or "m"]


def used(all_workers: tuple[Worker, ...], seconds: float) -> Usage:
    """The resources that the workers hold for `seconds`."""
    hours = seconds / 3600
    cores, memory = sum(w.cores for w in all_workers), sum(w.memory for w in all_workers)
    return Usage(round(cores * hours, 3), round(memory * hours, 3), round(DISK * len(all_workers) * hours, 3))


def billed(all_workers: tuple[Worker, ...], seconds: float) -> Usage:
    """The resources that are charged: at least a minute per worker, and no storage, as the disk is free."""
    usage = used(all_workers, max(seconds, LEAST_SECONDS))
    return Usage(usage.cpu, usage.memory, 0.0)
