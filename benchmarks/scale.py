"""Estimates limits as datasets and files grow: `python -m benchmarks.scale [--datasets 200,1000] [--tables 1,2]`

Measures no time, so other load on the machine does not change the figures. Counts the calls of the product's own plan,
load and sweep on an in-memory ledger in which nothing is due. Simulates an hour of loads, each of `--seconds`, packed
by the product's own policy. `--latency` is the assumed duration of a call to DynamoDB.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tests.simulation.dynamodb import SimDynamoDB
from tests.simulation.world import SETTINGS, SimWorld, declare
from tidemark.core.capacity import runs_that_fit
from tidemark.core.dataset import BatchPolicy, Dataset
from tidemark.core.lifecycle import Batch, State
from tidemark.core.loading import Load, due_loads
from tidemark.service.load import load
from tidemark.service.plan import CLAIMS_AT_ONCE, plan
from tidemark.service.sweep import sweep
from tidemark.service.transitions import QUERIES_AT_ONCE

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
DAY = 24 * 3600  # seconds
RUNS_AT_ONCE = runs_that_fit("16 vCPU", "64 GB", "1000 GB")  # the defaults in template.yaml
STARTS = 1.0  # StartJobRun calls per second (docs/aws-facts.md#emr-quotas-and-rates)
STEP = 10  # seconds between two invocations of the simulated loader
SETTLED = 5  # seconds from the end of a statement to the next load of its shard


def datasets(count: int) -> dict[str, Dataset]:
    """That many datasets with two tables each, loaded every five minutes."""
    return {f"dataset{number}": declare(f"dataset{number}", "supersede", 1_000, 3) for number in range(count)}


def calls_of(step: Callable[[Any], object], declared: dict[str, Dataset]) -> Counter[str]:
    """The AWS calls of one invocation without anything to do."""
    counted: Counter[str] = Counter()

    def call(operation: str, effect: Callable[[], Any], **_: Any) -> Any:
        counted[operation] += 1
        return effect()

    ledger = SimDynamoDB(call, lambda: EPOCH, lambda: 0.0, lambda *_: None, lambda: False)
    clock: Any = SimpleNamespace(now=lambda: EPOCH)
    step(SimWorld(SETTINGS, clock, {"dynamodb": ledger}, lambda: declared, lambda *_: None))
    return counted


@dataclass(frozen=True)
class Loading:
    per_five_minutes: float
    longest: float  # seconds from a batch's publication to the end of its load
    waiting: int  # batches that are not loaded at the end


def loading(declared: dict[str, Dataset], seconds: int, hours: int = 1) -> Loading:
    """Simulates loads of `seconds` each, while every dataset publishes a batch every five minutes, evenly spread."""
    names, every, begun = list(declared), 300, 0
    waiting: list[Batch] = []
    under_way: list[tuple[float, Load, list[Batch]]] = []
    longest = 0.0
    for second in range(0, hours * 3600, STEP):
        now = EPOCH + timedelta(seconds=second)
        for number, name in enumerate(names):
            if int(number * every / len(names)) // STEP == second % every // STEP:
                waiting.append(Batch(f"{name}.{second}", name, now, now, State.PUBLISHED))
        under_way = [one for one in under_way if one[0] + SETTLED > second]
        for group in due_loads(waiting, declared, now, [one for _, one, _ in under_way]):
            members = tuple((batch.batch_id, 1) for batch in group)
            started = Load(f"load.{begun}", now, members, tuple({batch.dataset for batch in group}))
            under_way.append((second + seconds, started, group))
            longest = max(longest, *((now - batch.updated_at).total_seconds() + seconds for batch in group))
            begun += 1
            taken = {batch.batch_id for batch in group}
            waiting = [batch for batch in waiting if batch.batch_id not in taken]
    return Loading(begun / hours / 12, longest, len(waiting))


def print_datasets(counts: list[int], tables_each: list[int], latency: float, seconds: int) -> None:
    """Print the cost of an idle invocation, the delay of loads, and the interval between a dataset's runs."""
    for count in counts:
        declared = datasets(count)
        print(f"{count} datasets")
        for name, step in (("plan", plan), ("load", load), ("sweep", sweep)):
            calls = sum(calls_of(step, declared).values())
            parallel = min(calls, count)  # the queries for open batches run concurrently
            waited = (calls - parallel + parallel / QUERIES_AT_ONCE) * latency
            print(f"  {name:6} {calls:6,} calls per invocation, {waited:5.1f} s waiting for them")
        for tables in tables_each:
            cut = {name: replace(one, tables=(one.tables * 2)[:tables]) for name, one in declared.items()}
            result = loading(cut, seconds)
            print(
                f"  {tables} tables: {result.per_five_minutes:4.0f} loads in five minutes, a batch is loaded at most"
                f" {result.longest:6,.0f} s after its publication, {result.waiting} batches are waiting at the end"
            )
        for runs in (RUNS_AT_ONCE, 300):
            rate = min(runs / 60, STARTS)
            print(f"  {runs:3} concurrent runs of a minute: a batch of each dataset every {count / rate / 60:5.1f} min")


def print_files(files: int, latency: float) -> None:
    """Print each step's utilization for a number of files per day."""
    policy = BatchPolicy()
    rate = files / DAY
    shares = {
        f"StartJobRun, batches of {policy.max_files:,} files": rate / policy.max_files / STARTS,
        f"{RUNS_AT_ONCE} runs of a minute, same batches": rate / policy.max_files * 60 / RUNS_AT_ONCE,
        f"plan's claims, {CLAIMS_AT_ONCE} concurrent": rate * latency / CLAIMS_AT_ONCE,
        "DynamoDB, initially 4,000 writes/s": (rate + 20 * rate / 50) / 4_000,
        "DynamoDB, by default 40,000 writes/s": (rate + 20 * rate / 50) / 40_000,
        "one dataset's segment heads, 1,000 writes/s per key": 3 * rate / 50 / 1_000,
        "reconcile, a day's files per day, 1,000 per listing of 0.15 s": rate * 0.15 / 1_000 + rate * 2 * latency / 100,
    }
    print(f"{files:,} files per day, {rate:,.0f}/s: utilization")
    for name, share in sorted(shares.items(), key=lambda pair: -pair[1]):
        print(f"  {share:7.1%}  {name}")


def _numbers(listed: str) -> list[int]:
    return [int(number) for number in listed.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", default="200,1000")
    parser.add_argument("--tables", default="1,2", help="numbers of tables per dataset")
    parser.add_argument("--files", type=int, default=100_000_000, help="files per day")
    parser.add_argument("--latency", type=float, default=0.005, help="seconds per call to DynamoDB")
    parser.add_argument("--seconds", type=int, default=15, help="duration of a load")
    options = parser.parse_args()
    print_datasets(_numbers(options.datasets), _numbers(options.tables), options.latency, options.seconds)
    print_files(options.files, options.latency)


if __name__ == "__main__":
    main()
