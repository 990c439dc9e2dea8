from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.sizing import LARGER_MAX, RunSize, Worker, is_faster_larger, run_size

MB, GB = 1 << 20, 1 << 30
BYTES = st.integers(0, 5 << 40) | st.integers(0, GB)
ENLARGED = st.integers(0, LARGER_MAX)
#: cores → (least, most) GB of a worker, in steps of 1 GB: docs/aws-facts.md#emr-worker-sizes
WORKERS = {1: (2, 8), 2: (4, 16), 4: (8, 30)}
EVERY_SIZE = [run_size(megabytes << 20) for megabytes in range(0, 2_000, 4)]
#: Bytes of a batch for each size.
SIZES = {"1 core": MB, "2 cores": 65 * MB, "4 cores": 129 * MB, "8 cores": 257 * MB, "12 cores": GB}


def totals(size: RunSize) -> tuple[int, int, int]:
    return size.cores, size.memory_gb, size.partitions


@given(BYTES, ENLARGED)
def test_a_run_fits_a_new_account(input_bytes: int, enlarged: int) -> None:
    """No batch, however large and however often too small, asks for more than 16 vCPU and the template's 64 GB."""
    size = run_size(input_bytes, enlarged)
    assert 2 <= size.cores <= 16
    assert size.memory_gb <= 64


@given(BYTES, ENLARGED)
def test_every_worker_is_one_that_emr_offers(input_bytes: int, enlarged: int) -> None:
    """Memory lies within what EMR Serverless gives that many cores, disk within 20 to 200 GB."""
    size = run_size(input_bytes, enlarged)
    for worker in (size.driver, size.executor):
        least, most = WORKERS[worker.cores]
        assert least <= worker.memory_gb <= most
    assert 20 <= size.disk_gb <= 200


@given(BYTES, ENLARGED)
def test_heap_and_overhead_are_the_whole_worker(input_bytes: int, enlarged: int) -> None:
    """What is left over would be billed and never used, what is missing would end the worker."""
    size = run_size(input_bytes, enlarged)
    conf = size.spark_conf()
    for role, worker in (("driver", size.driver), ("executor", size.executor)):
        parts = [conf[f"spark.{role}.{part}"] for part in ("memory", "memoryOverhead")]
        assert sum(int(part.removesuffix("m")) for part in parts) == worker.memory_gb * 1024


def test_each_python_process_has_two_gigabytes_beside_the_heap() -> None:
    """A reader took at most half of that, whatever the format: docs/performance.md#memory."""
    for size in EVERY_SIZE:
        overhead_mb = int(size.spark_conf()["spark.executor.memoryOverhead"].removesuffix("m"))
        assert overhead_mb >= 2048 * size.executor.cores


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
    assert (size.cores, size.executors, size.driver.memory_gb) == (2, 1, 4)


def test_only_a_small_run_does_without_the_slow_compiler() -> None:
    """What is over in a minute cannot earn back the better code; what takes long must have it."""
    small, large = run_size(10 << 20).spark_conf(), run_size(1 << 30).spark_conf()
    for who in ("driver", "executor"):
        assert small[f"spark.{who}.extraJavaOptions"] == "-XX:TieredStopAtLevel=1"
    assert not [name for name in large if "JavaOptions" in name]


@given(BYTES, ENLARGED)
def test_a_run_may_shrink_but_not_grow(input_bytes: int, enlarged: int) -> None:
    """EMR's default for dynamic allocation is without a limit, and it fails a run whose three numbers contradict."""
    conf = run_size(input_bytes, enlarged).spark_conf()
    least, initial, most = (int(conf[f"spark.dynamicAllocation.{word}Executors"]) for word in ("min", "initial", "max"))
    assert 1 == least <= initial == most == int(conf["spark.executor.instances"])


@pytest.mark.parametrize("input_bytes", SIZES.values(), ids=SIZES)
def test_larger_workers_give_each_task_more_memory(input_bytes: int) -> None:
    """Twice as much or nearly, then all of the largest worker: a single record may be that large."""
    per_task = [run_size(input_bytes, enlarged).task_gb for enlarged in range(LARGER_MAX + 1)]
    assert per_task[0] == 4
    assert per_task[1] >= 7.5
    assert per_task[2] == 30


@pytest.mark.parametrize(("name", "faster"), list(zip(SIZES, [True, True, False, False, False], strict=True)))
def test_only_small_runs_get_more_cores(name: str, faster: bool) -> None:
    """A large one has all cores of a new account already: its halves are what is faster."""
    assert is_faster_larger(SIZES[name]) is faster


def test_a_worker_says_how_its_memory_is_divided() -> None:
    """Spark takes both parts in whole MB."""
    assert Worker(4, 30, 1 / 2).spark_conf("executor") == {
        "spark.executor.cores": "4",
        "spark.executor.memory": "15360m",
        "spark.executor.memoryOverhead": "15360m",
    }
