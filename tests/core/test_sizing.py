from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.sizing import RunSize, run_size

GB = 1 << 30
BYTES = st.integers(0, 5 << 40) | st.integers(0, GB)
#: cores → (least, most) GB of a worker, in steps of 1 GB: docs/aws-facts.md#emr-worker-sizes
WORKERS = {1: (2, 8), 2: (4, 16), 4: (8, 30)}
EVERY_SIZE = [run_size(megabytes << 20) for megabytes in range(0, 2_000, 4)]


def with_overhead(memory_gb: int) -> int:
    """What EMR asks of the worker: 10 % more, at least 384 MB, in whole GB."""
    return math.ceil(memory_gb + max(0.384, memory_gb * 0.1))


def totals(size: RunSize) -> tuple[int, int, int]:
    return size.vcpus, size.driver_memory_gb + size.executors * size.executor_memory_gb, size.partitions


@given(BYTES)
def test_a_run_fits_a_new_account(input_bytes: int) -> None:
    """No batch, however large, asks for more than the 16 vCPU of the first quota."""
    assert 2 <= run_size(input_bytes).vcpus <= 16


@given(BYTES)
def test_every_worker_is_one_that_emr_offers(input_bytes: int) -> None:
    """Memory with its overhead lies within what EMR Serverless gives that many cores, disk within 20 to 200 GB."""
    size = run_size(input_bytes)
    shapes = ((size.driver_cores, size.driver_memory_gb), (size.executor_cores, size.executor_memory_gb))
    for cores, memory_gb in shapes:
        least, most = WORKERS[cores]
        assert least <= with_overhead(memory_gb) <= most
    assert 20 <= size.disk_gb <= 200


@given(BYTES, BYTES)
def test_more_bytes_never_get_less(one: int, other: int) -> None:
    """Cores, memory and partitions only grow with the batch."""
    smaller, larger = totals(run_size(min(one, other))), totals(run_size(max(one, other)))
    assert all(less <= more for less, more in zip(smaller, larger, strict=True))


def test_sizes_step_up_without_a_dip() -> None:
    """Every step of the ladder is taken within two gigabytes, each larger than the last."""
    ladder = list(dict.fromkeys(totals(size)[0] for size in EVERY_SIZE))
    assert ladder == [2, 3, 5, 10, 14]


def test_a_small_batch_gets_one_small_worker() -> None:
    """The usual micro-batch costs two vCPU, an eighth of EMR's default."""
    size = run_size(10 << 20)
    assert (size.vcpus, size.executors, size.driver_memory_gb) == (2, 1, 3)


def test_only_a_small_run_does_without_the_slow_compiler() -> None:
    """What is over in a minute cannot earn back the better code; what takes long must have it."""
    small, large = run_size(10 << 20).spark_conf(), run_size(1 << 30).spark_conf()
    for who in ("driver", "executor"):
        assert small[f"spark.{who}.extraJavaOptions"] == "-XX:TieredStopAtLevel=1"
    assert not [name for name in large if "JavaOptions" in name]


@given(BYTES)
def test_a_run_may_shrink_but_not_grow(input_bytes: int) -> None:
    """EMR's default for dynamic allocation is without a limit; ours is the size itself."""
    size = run_size(input_bytes)
    conf = size.spark_conf()
    assert conf["spark.dynamicAllocation.maxExecutors"] == conf["spark.executor.instances"] == str(size.executors)
    assert conf["spark.executor.memory"] == f"{size.executor_memory_gb}g"
