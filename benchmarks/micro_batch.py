"""Measures the steps of micro-batches on a laptop: one cold batch, then warm ones.

    python -m benchmarks.micro_batch [--megabytes 5] [--batches 5]

Uploads `web_logs` with that many megabytes of uncompressed JSON as gzipped Firehose objects, drives the batch to rest,
and prints for each batch the seconds of each step from landing to LOADED, and of the job's own steps. The medians are
those of the warm batches.
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
    """Run the batches one after the other, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=5.0)
    parser.add_argument("--batches", type=int, default=5)
    options = parser.parse_args()
    records = int(options.megabytes * 1e6 / BYTES_PER_RECORD)
    with Cloud(parameters={"Eager": "true"}, speed=20.0, schedules=False) as cloud:
        world = laptop_world(cloud)
        lines = [one_batch(cloud, world, number, records) for number in range(options.batches)]
    print(f"{records:,} records, {options.megabytes} MB per batch; seconds for each step")
    for name, line in zip(["cold", *["warm"] * options.batches], lines, strict=False):
        print(name, " ".join(f"{step} {seconds:.1f}" for step, seconds in line.items()))
    warm = lines[1:]
    print(
        "median of the warm batches:",
        " ".join(f"{step} {statistics.median(line[step] for line in warm):.1f}" for step in warm[0]),
    )


def one_batch(cloud: Cloud, world: LaptopWorld, number: int, records: int) -> dict[str, float]:
    """The seconds of each step of one batch."""
    began = time.monotonic()
    start = START + timedelta(days=number)
    for landed in generate("web_logs", number, records, start, per_file=1_500):
        cloud.client("s3").put_object(Bucket=world.settings.raw_bucket, Key=landed.key, Body=landed.body)
    reached = {"landed": time.monotonic() - began}

    def look(progress: Progress) -> None:
        latest = max(progress.batches["web_logs"], key=lambda batch: batch.created_at, default=None)
        if latest is None or len(progress.batches["web_logs"]) <= number:
            return
        if latest.state in (State.PLANNED, State.RUNNING):
            reached.setdefault("planned", time.monotonic() - began)
        if latest.state in (State.PUBLISHED, State.LOADING):
            reached.setdefault("published", time.monotonic() - began)

    drive(cloud, world, look)
    reached["loaded"] = time.monotonic() - began
    [latest] = world.ledger.batches.recent("web_logs", 1)
    key = attempt_prefix(latest.dataset, latest.batch_id, latest.attempt) + "result.json"
    job = json.loads(world.store.get(world.settings.lake_bucket, key) or b"{}")["seconds"]
    times = [0.0, *(reached[step] for step in STEPS)]
    steps = {step: later - before for step, (before, later) in zip(STEPS, itertools.pairwise(times), strict=True)}
    return {**steps, "all": reached["loaded"], **{f"job-{name}": seconds for name, seconds in job.items()}}


if __name__ == "__main__":
    main()
