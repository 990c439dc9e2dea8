"""`reconcile`, `backfill`, `replay`, `pause`, `resume`, `drain`: what a person does to files and batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console

from cli.names import named
from cli.render import Part, Record, Sheet, capped, line, number, plural, say, say_whole, show_table, state
from cli.text import name
from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.errors import TidemarkError
from tidemark.core.files import split_uri
from tidemark.core.lifecycle import Batch
from tidemark.service.operate import can_replay, find_batch, replay
from tidemark.service.reconcile import SETTLED_AFTER, reconcile

LOOK_SECONDS = 2.0
DRAIN_SECONDS_MAX = 3_600.0


def reconcile_prefixes(world: World, console: Console, dataset: str) -> None:
    """Bring in what the bucket has and the ledger has not seen, prefix by prefix."""
    for each in named(world, dataset):
        _walk(world, console, world.datasets[each], world.datasets[each].prefix, 0.0, SETTLED_AFTER)


def backfill(world: World, console: Console, uri: str, files_per_second: float) -> None:
    """Bring in files that are older than the deployment; continues where an interrupted run stopped."""
    bucket, prefix = split_uri(uri)
    if not uri.startswith("s3://") or bucket != world.settings.raw_bucket:
        raise TidemarkError(f"expected s3://{world.settings.raw_bucket}/<prefix>, found {uri!r}")
    dataset = next((each for each in world.datasets.values() if each.owns(prefix)), None)
    if dataset is None:
        known = ", ".join(sorted(each.prefix for each in world.datasets.values() if each.prefix))
        raise TidemarkError(f"expected a prefix below one of {known}, found {prefix!r}")
    _walk(world, console, dataset, prefix, files_per_second, timedelta(0))


def replay_batches(
    world: World,
    console: Console,
    ids: Sequence[str],
    dataset: str | None,
    since: datetime | None,
    until: datetime | None,
    only_plan: bool,
) -> None:
    """Run batches again as their next attempt, or show what that would replace."""
    batches = choose_batches(world, ids, dataset, since, until)
    table = Sheet("batch", "state", "attempt", "files", "replaces", spare=("files", "attempt"), whole=("state",))
    for batch in batches:
        table.add_record(
            _replay_record(batch),
            batch.batch_id,
            state(batch.state),
            f"{batch.attempt} → {batch.attempt + 1}",
            number(batch.files),
            _replaced(batch) if can_replay(batch) else line(("not now: it is under way", "yellow")),
        )
    show_table(console, table)
    if only_plan:
        say(console, "nothing was done; without --plan these batches run again")
        return
    replayed = [replay(world, batch) for batch in batches if can_replay(batch)]
    say(console, f"{plural(len(replayed), 'batch')} {'runs' if len(replayed) == 1 else 'run'} again")


def _replaced(batch: Batch) -> str:
    return ", ".join(f"{table} {number(rows)}" for table, rows in batch.counts.rows.items()) or "nothing yet"


def _replay_record(batch: Batch) -> Record:
    return {
        "batch_id": batch.batch_id,
        "state": str(batch.state),
        "attempt": batch.attempt,
        "next_attempt": batch.attempt + 1,
        "files": batch.files,
        "rows": dict(batch.counts.rows),
        "can_replay": can_replay(batch),
    }


def choose_batches(
    world: World, ids: Sequence[str], dataset: str | None, since: datetime | None, until: datetime | None
) -> list[Batch]:
    """The batches with these ids, or those of a dataset that were created from `since` to before `until`."""
    if bool(ids) == (dataset is not None):
        raise TidemarkError("expected either ids of batches or --dataset")
    if ids and (since or until):
        raise TidemarkError("expected --from and --to with --dataset, found them with ids of batches")
    if ids:
        return [find_batch(world, batch_id) for batch_id in ids]
    chosen = [
        batch
        for each in named(world, dataset or "")
        for batch in world.ledger.batches.all(each)
        if (since is None or batch.created_at >= since)
        and (until is None or batch.created_at < until)
        and can_replay(batch)
    ]
    if not chosen:
        raise TidemarkError(f"expected batches of {dataset} in that time, found none that can be replayed")
    return chosen


def pause(world: World, console: Console, dataset: str) -> None:
    """Form no new batches of a dataset; its files are remembered meanwhile."""
    for each in named(world, dataset):
        world.ledger.controls.pause(each, paused=True)
        say(console, f"{each} is paused: files are remembered, no batch is formed")


def resume(world: World, console: Console, dataset: str) -> None:
    """Form batches of a dataset again."""
    for each in named(world, dataset):
        world.ledger.controls.pause(each, paused=False)
        say(console, f"{each} is running")


def drain(world: World, console: Console, dataset: str, seconds_max: float = DRAIN_SECONDS_MAX) -> int:
    """Pause, and wait until every batch is at rest. Exit status 1 if that takes longer than `seconds_max`."""
    pause(world, console, dataset)
    began = time.monotonic()
    while True:
        unfinished = [batch for each in named(world, dataset) for batch in world.ledger.batches.open(each)]
        if not unfinished:
            say(console, "drained: nothing is under way")
            return 0
        if time.monotonic() - began > seconds_max:
            _say_not_drained(console, unfinished)
            return 1
        time.sleep(LOOK_SECONDS)


def _say_not_drained(console: Console, unfinished: Sequence[Batch]) -> None:
    batches: list[Part] = [f"{batch.batch_id} {batch.state}" for batch in unfinished]
    say(console, ("not drained", "yellow"), f": {plural(len(batches), 'batch')} under way")
    for row in capped(batches, "`tidemark batches`"):
        say_whole(console, "  ", row)


def _walk(
    world: World, console: Console, dataset: Dataset, prefix: str, files_per_second: float, settled_after: timedelta
) -> None:
    began, missing, seen = time.monotonic(), 0, 0
    # A rate is given for old files only; files that land meanwhile go first.
    background = bool(files_per_second)
    for part in reconcile(world, dataset, prefix, lambda: True, settled_after, background):
        if part.seen > seen:  # a page of folders has no keys
            say(console, f"{name(prefix)}: {plural(part.seen, 'key')} seen, {number(part.missing)} brought in")
        seen, missing = part.seen, part.missing
        if files_per_second:
            time.sleep(max(0.0, missing / files_per_second - (time.monotonic() - began)))
    say(console, (f"{name(prefix)} is complete", "green"), f": {plural(seen, 'key')}, {number(missing)} brought in")
