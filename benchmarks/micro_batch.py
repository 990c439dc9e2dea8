"""What a micro-batch costs on a laptop, and where the time goes: cold once, then warm.

    python -m benchmarks.micro_batch [--megabytes 5] [--batches 5]

Lands that much uncompressed JSON of `web_logs` as gzipped Firehose objects, drives it to rest, and prints for each
batch the seconds from landing to PLANNED, RUNNING, PUBLISHED and LOADED, and the job's own account. Medians are over
the warm batches.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from datetime import UTC, datetime, timedelta

from local.cloud import Cloud
from local.drive import Progress, drive
from local.sample_data.generate import generate
from local.world import LaptopWorld, laptop_world
from tidemark.core.lifecycle import State
from tidemark.core.naming import attempt_prefix

BYTES_PER_RECORD = 245  # of web_logs, uncompressed
START = datetime(2026, 11, 20, tzinfo=UTC)
STEPS = ("landed", "planned", "published", "loaded")


def main() -> None:
    """Run the batches one after the other and print a line for each."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--megabytes", type=float, default=5.0)
    ask.add_argument("--batches", type=int, default=5)
    options = ask.parse_args()
    records = int(options.megabytes * 1e6 / BYTES_PER_RECORD)
    with Cloud(parameters={"Eager": "true"}, speed=20.0, schedules=False) as cloud:
        world = laptop_world(cloud)
        lines = [one_batch(cloud, world, turn, records) for turn in range(options.batches)]
    print(f"{records:,} records, {options.megabytes} MB a batch; seconds for each step")
    for name, line in zip(["cold", *["warm"] * options.batches], lines, strict=False):
        print(name, " ".join(f"{step} {seconds:.1f}" for step, seconds in line.items()))
    warm = lines[1:]
    print(
        "median of the warm:",
        " ".join(f"{step} {statistics.median(line[step] for line in warm):.1f}" for step in warm[0]),
    )


def one_batch(cloud: Cloud, world: LaptopWorld, turn: int, records: int) -> dict[str, float]:
    """Seconds that each step of one batch took."""
    began = time.monotonic()
    start = START + timedelta(days=turn)
    for landed in generate("web_logs", turn, records, start, per_file=1_500):
        cloud.client("s3").put_object(Bucket=world.settings.raw_bucket, Key=landed.key, Body=landed.body)
    marks = {"landed": time.monotonic() - began}

    def look(progress: Progress) -> None:
        latest = max(progress.batches["web_logs"], key=lambda batch: batch.created_at, default=None)
        if latest is None or len(progress.batches["web_logs"]) <= turn:
            return
        if latest.state in (State.PLANNED, State.RUNNING):
            marks.setdefault("planned", time.monotonic() - began)
        if latest.state in (State.PUBLISHED, State.LOADING):
            marks.setdefault("published", time.monotonic() - began)

    drive(cloud, world, look)
    marks["loaded"] = time.monotonic() - began
    [latest] = world.ledger.batches.recent("web_logs", 1)
    key = attempt_prefix(latest.dataset, latest.batch_id, latest.attempt) + "result.json"
    job = json.loads(world.store.get(world.settings.lake_bucket, key) or b"{}")["seconds"]
    times = [0.0, *(marks[step] for step in STEPS)]
    steps = {step: later - before for step, (before, later) in zip(STEPS, itertools.pairwise(times), strict=True)}
    return {**steps, "all": marks["loaded"], **{f"job-{name}": seconds for name, seconds in job.items()}}


if __name__ == "__main__":
    main()
