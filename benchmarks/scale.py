"""What breaks first as datasets and files grow: `python -m benchmarks.scale [--datasets 200,1000] [--tables 1,2]`

Nothing is timed, so a busy machine changes no figure. Calls are counted while the product's own plan, load and sweep
look at a ledger in memory in which nothing is due; the product's own policy packs the loads of a simulated hour, each
of `--seconds`. `--latency` is what a call to DynamoDB is taken to last.
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
from tidemark.core.dataset import BatchPolicy, Dataset
from tidemark.core.lifecycle import Batch, State
from tidemark.core.loading import Load, due_loads
from tidemark.service.load import load
from tidemark.service.plan import CLAIMS_AT_ONCE, plan
from tidemark.service.sweep import sweep
from tidemark.service.transitions import QUERIES_AT_ONCE

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
DAY = 24 * 3600  # seconds
RUNS_AT_ONCE = 15  # SparkRuns in template.yaml
STARTS = 1.0  # StartJobRun, a second (docs/aws-facts.md#emr-quotas-and-rates)
STEP = 10  # seconds between two looks of the simulated loader
SETTLED = 5  # seconds from a statement's end to the next load of its shard


def datasets(count: int) -> dict[str, Dataset]:
    """As many datasets of two tables, loaded every five minutes."""
    return {f"dataset{number}": declare(f"dataset{number}", "supersede", 1_000, 3) for number in range(count)}


def calls_of(step: Callable[[Any], object], declared: dict[str, Dataset]) -> Counter[str]:
    """AWS calls of one invocation that finds nothing to do."""
    counted: Counter[str] = Counter()

    def call(operation: str, effect: Callable[[], Any], **_: Any) -> Any:
        counted[operation] += 1
        return effect()

    ledger = SimDynamoDB(call, lambda: EPOCH, lambda: 0.0, lambda *_: None, lambda: False)
    clock: Any = SimpleNamespace(now=lambda: EPOCH)
    step(SimWorld(SETTINGS, clock, {"dynamodb": ledger}, declared, set(), lambda _: None))
    return counted


@dataclass(frozen=True)
class Loading:
    per_five_minutes: float
    longest: float  # seconds from publication to the end of a batch's load
    waiting: int  # batches at the end of the day


def loading(declared: dict[str, Dataset], seconds: int, hours: int = 1) -> Loading:
    """Every dataset publishes a batch every five minutes, one after the other; each load takes so long."""
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
            found = Load(f"load.{begun}", now, members, tuple({batch.dataset for batch in group}))
            under_way.append((second + seconds, found, group))
            longest = max(longest, *((now - batch.updated_at).total_seconds() + seconds for batch in group))
            begun += 1
            taken = {batch.batch_id for batch in group}
            waiting = [batch for batch in waiting if batch.batch_id not in taken]
    return Loading(begun / hours / 12, longest, len(waiting))


def print_datasets(counts: list[int], tables_each: list[int], latency: float, seconds: int) -> None:
    """What a look at everything costs, how loads keep up, and how often a dataset gets a run."""
    for count in counts:
        declared = datasets(count)
        print(f"{count} datasets")
        for name, step in (("plan", plan), ("load", load), ("sweep", sweep)):
            calls = sum(calls_of(step, declared).values())
            looks = min(calls, count)  # the look for open batches goes several at once
            took = (calls - looks + looks / QUERIES_AT_ONCE) * latency
            print(f"  {name:6} {calls:6,} calls an invocation, {took:5.1f} s of it waiting")
        for tables in tables_each:
            cut = {name: replace(one, tables=(one.tables * 2)[:tables]) for name, one in declared.items()}
            found = loading(cut, seconds)
            print(
                f"  {tables} tables: {found.per_five_minutes:4.0f} loads in five minutes, a batch is loaded"
                f" {found.longest:6,.0f} s after its publication at the latest, {found.waiting} wait at the end"
            )
        for runs in (RUNS_AT_ONCE, 300):
            rate = min(runs / 60, STARTS)
            print(f"  {runs:3} runs of a minute at once: a batch of each dataset every {count / rate / 60:5.1f} min")


def print_files(files: int, latency: float) -> None:
    """What so many files a day ask of each step, as a share of what it can give."""
    policy = BatchPolicy()
    rate = files / DAY
    shares = {
        f"StartJobRun, batches of {policy.max_files:,} files": rate / policy.max_files / STARTS,
        f"{RUNS_AT_ONCE} runs of a minute, same batches": rate / policy.max_files * 60 / RUNS_AT_ONCE,
        f"plan's claims, {CLAIMS_AT_ONCE} at once": rate * latency / CLAIMS_AT_ONCE,
        "DynamoDB, 4,000 writes a second at first": (rate + 20 * rate / 50) / 4_000,
        "DynamoDB, 40,000 writes a second by default": (rate + 20 * rate / 50) / 40_000,
        "one dataset's heads, 1,000 writes a second of a key": 3 * rate / 50 / 1_000,
        "reconcile, a day's files in a day, 1,000 a listing of 0.15 s": rate * 0.15 / 1_000 + rate * 2 * latency / 100,
    }
    print(f"{files:,} files a day, {rate:,.0f} a second: share of what there is")
    for name, share in sorted(shares.items(), key=lambda pair: -pair[1]):
        print(f"  {share:7.1%}  {name}")


def _numbers(listed: str) -> list[int]:
    return [int(number) for number in listed.split(",")]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--datasets", default="200,1000")
    asked.add_argument("--tables", default="1,2", help="of each dataset")
    asked.add_argument("--files", type=int, default=100_000_000, help="a day")
    asked.add_argument("--latency", type=float, default=0.005, help="seconds of a call to DynamoDB")
    asked.add_argument("--seconds", type=int, default=15, help="of a load")
    options = asked.parse_args()
    print_datasets(_numbers(options.datasets), _numbers(options.tables), options.latency, options.seconds)
    print_files(options.files, options.latency)


if __name__ == "__main__":
    main()
