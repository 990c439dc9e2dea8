"""`reconcile`, `backfill`, `replay`, `quarantine`, `pause`, `resume`, `drain`: what a person does when it matters."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta

from rich.console import Console

from cli.show import make_table, number, state
from tidemark.adapters.store import split_uri
from tidemark.core.dataset import Dataset
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch
from tidemark.service.operate import (
    can_replay,
    discard_batch,
    find_batch,
    find_refused,
    rejected_files,
    release_file,
    replay,
)
from tidemark.service.reconcile import SETTLED_AFTER, reconcile
from tidemark.wiring import World

LOOK_SECONDS = 2.0
DATASET_ALL = "all"


def reconcile_prefixes(world: World, console: Console, dataset: str) -> None:
    """Bring in what the bucket has and the ledger has not seen, prefix by prefix."""
    for name in named(world, dataset):
        _walk(world, console, world.datasets[name], world.datasets[name].prefix, 0.0, SETTLED_AFTER)


def backfill(world: World, console: Console, uri: str, files_per_second: float) -> None:
    """Bring in files that were there before the deployment; goes on where an interrupted run was."""
    bucket, prefix = split_uri(uri)
    if not uri.startswith("s3://") or bucket != world.settings.raw_bucket:
        raise TidemarkError(f"expected s3://{world.settings.raw_bucket}/<prefix>, found {uri!r}")
    dataset = next((one for one in world.datasets.values() if one.owns(prefix)), None)
    if dataset is None:
        known = ", ".join(dataset.prefix for dataset in world.datasets.values())
        raise TidemarkError(f"expected a prefix below one of {known}, found {prefix!r}")
    _walk(world, console, dataset, prefix, files_per_second, timedelta(0))


def replay_batches(world: World, console: Console, batches: list[Batch], only_plan: bool) -> None:
    """Run batches again as their next attempt, or show what that would replace."""
    table = make_table("batch", "state", "attempt", "files", "replaces")
    for batch in batches:
        rows = ", ".join(f"{name} {number(count)}" for name, count in batch.rows.items()) or "nothing yet"
        allowed = rows if can_replay(batch) else "[yellow]not now: it is under way[/]"
        table.add_row(
            batch.batch_id, state(batch.state), f"{batch.attempt} → {batch.attempt + 1}", number(batch.files), allowed
        )
    console.print(table)
    if only_plan:
        console.print("nothing was done; without --plan these batches run again")
        return
    for batch in batches:
        if can_replay(batch):
            replay(world, batch)
    console.print(f"{number(sum(map(can_replay, batches)))} batches run again")


def choose_batches(
    world: World, ids: list[str], dataset: str | None, since: datetime | None, until: datetime | None
) -> list[Batch]:
    """The batches named, or those of a dataset that were created from `since` up to before `until`."""
    if bool(ids) == bool(dataset):
        raise TidemarkError("expected either ids of batches or --dataset")
    if ids:
        return [find_batch(world, batch_id) for batch_id in ids]
    chosen = [
        batch
        for name in named(world, dataset or "")
        for batch in world.ledger.all_batches(name)
        if (since is None or batch.created_at >= since)
        and (until is None or batch.created_at < until)
        and can_replay(batch)
    ]
    if not chosen:
        raise TidemarkError(f"expected batches of {dataset} in that time, found none that can be replayed")
    return chosen


def list_quarantine(world: World, console: Console) -> None:
    """Batches and files that wait for a person, and batches with rejected records."""
    batches, files = world.ledger.quarantine()
    table = make_table("what", "name", "since", "reason")
    for batch in batches:
        table.add_row("batch", batch.batch_id, f"{batch.updated_at:%Y-%m-%d %H:%M}", batch.reason)
    for refused in files:
        table.add_row("file", refused.file.uri, refused.since[:16].replace("T", " "), refused.reason)
    for name in world.datasets:
        for batch in world.ledger.recent(name, 100):
            if batch.rejected:
                reason = f"{number(batch.rejected)} of {number(batch.read)} records rejected"
                table.add_row("records", batch.batch_id, f"{batch.updated_at:%Y-%m-%d %H:%M}", reason)
    console.print(table if table.row_count else "nothing is in quarantine")


def show_quarantined(world: World, console: Console, name: str, limit: int) -> None:
    """Why a file or batch is set aside, and the first rejected records of a batch."""
    if name.startswith("s3://"):
        refused = find_refused(world, *split_uri(name))
        console.print(f"{refused.file.uri} version {refused.file.version}\n{refused.reason}\nbatch {refused.batch_id}")
        return
    batch = find_batch(world, name)
    console.print(f"{batch.batch_id} {state(batch.state)} {batch.reason}".rstrip())
    table = make_table("file", "position", "reason", "raw")
    for found in rejected_files(world, batch):
        text = world.store.get(*split_uri(found.uri)) or b""
        for line in text.splitlines()[: limit - table.row_count]:
            record = json.loads(line)
            table.add_row(record["file"], str(record["position"]), record["reason"], (record["raw"] or "")[:80])
    console.print(table if table.row_count else "no rejected records")


def release(world: World, console: Console, name: str) -> None:
    """A file becomes a normal file again; a batch runs again."""
    if name.startswith("s3://"):
        batch = release_file(world, find_refused(world, *split_uri(name)))
    else:
        batch = replay(world, find_batch(world, name))
    console.print(f"released: {batch.batch_id} goes on as attempt {batch.attempt}")


def discard(world: World, console: Console, name: str) -> None:
    """Give a file or a batch up; what a batch has shown is replaced by nothing."""
    if name.startswith("s3://"):
        refused = find_refused(world, *split_uri(name))
        world.ledger.discard(refused.file)
        console.print(f"discarded: {refused.file.uri}")
    else:
        batch = discard_batch(world, find_batch(world, name))
        console.print(f"discarded: {batch.batch_id} shows nothing after attempt {batch.attempt}")


def pause(world: World, console: Console, dataset: str, paused: bool) -> None:
    """Form no new batches of a dataset, or form them again; files go on being remembered meanwhile."""
    for name in named(world, dataset):
        world.ledger.pause(name, paused)
        console.print(f"{name} is {'paused: files are remembered, no batch is formed' if paused else 'running'}")


def drain(world: World, console: Console, dataset: str, seconds_max: float) -> int:
    """Pause, and wait until what is under way is at rest. Exit status 1 when it takes longer than it may."""
    pause(world, console, dataset, paused=True)
    began = time.monotonic()
    while True:
        left = [batch for name in named(world, dataset) for batch in world.ledger.open_batches(name)]
        if not left:
            console.print("drained: nothing is under way")
            return 0
        if time.monotonic() - began > seconds_max:
            console.print(f"[yellow]not drained[/]: {', '.join(f'{one.batch_id} {one.state}' for one in left[:5])}")
            return 1
        time.sleep(LOOK_SECONDS)


def named(world: World, dataset: str) -> list[str]:
    """The dataset, or all of them; raises for one that is not declared."""
    if dataset == DATASET_ALL:
        return sorted(world.datasets)
    if dataset not in world.datasets:
        raise TidemarkError(f"expected a dataset ({', '.join(sorted(world.datasets))}), found {dataset!r}")
    return [dataset]


def _walk(
    world: World, console: Console, dataset: Dataset, prefix: str, files_per_second: float, settled_after: timedelta
) -> None:
    began, missing, seen = time.monotonic(), 0, 0
    for part in reconcile(world, dataset, prefix, lambda: True, settled_after):
        seen, missing = part.seen, part.missing
        console.print(f"{prefix}: {number(seen)} keys seen, {number(missing)} brought in")
        if files_per_second:
            time.sleep(max(0.0, missing / files_per_second - (time.monotonic() - began)))
    console.print(f"[green]{prefix} is complete[/]: {number(seen)} keys, {number(missing)} brought in")
