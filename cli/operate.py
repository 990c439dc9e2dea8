"""`reconcile`, `backfill`, `replay`, `quarantine`, `pause`, `resume`, `drain`: what a person does when it matters."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta

from rich.console import Console

from cli.names import file_named, is_file, named
from cli.render import (
    NOTHING,
    Part,
    Sheet,
    capped,
    in_one_piece,
    line,
    name,
    number,
    plural,
    say,
    say_whole,
    shortened,
    state,
)
from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.errors import TidemarkError
from tidemark.core.files import split_uri
from tidemark.core.lifecycle import Batch, State
from tidemark.service.operate import (
    acknowledge,
    can_replay,
    discard_batch,
    find_batch,
    find_refused,
    rejected_files,
    release_batch,
    release_file,
    replay,
)
from tidemark.service.reconcile import SETTLED_AFTER, reconcile
from tidemark.service.report import files_of

LOOK_SECONDS = 2.0
RAW_MAX = 80  # characters of a rejected record on the screen
REASON_MAX = 200
REJECTED_RECENT = 100  # batches of a dataset that are looked through for rejected records


def reconcile_prefixes(world: World, console: Console, dataset: str) -> None:
    """Bring in what the bucket has and the ledger has not seen, prefix by prefix."""
    for one in named(world, dataset):
        _walk(world, console, world.datasets[one], world.datasets[one].prefix, 0.0, SETTLED_AFTER)


def backfill(world: World, console: Console, uri: str, files_per_second: float) -> None:
    """Bring in files that were there before the deployment; goes on where an interrupted run was."""
    bucket, prefix = split_uri(uri)
    if not uri.startswith("s3://") or bucket != world.settings.raw_bucket:
        raise TidemarkError(f"expected s3://{world.settings.raw_bucket}/<prefix>, found {uri!r}")
    dataset = next((one for one in world.datasets.values() if one.owns(prefix)), None)
    if dataset is None:
        known = ", ".join(sorted(one.prefix for one in world.datasets.values() if one.prefix))
        raise TidemarkError(f"expected a prefix below one of {known}, found {prefix!r}")
    _walk(world, console, dataset, prefix, files_per_second, timedelta(0))


def replay_batches(world: World, console: Console, batches: list[Batch], only_plan: bool) -> None:
    """Run batches again as their next attempt, or show what that would replace."""
    table = Sheet("batch", "state", "attempt", "files", "replaces", spare=("files", "attempt"), whole=("state",))
    for batch in batches:
        rows = ", ".join(f"{table_} {number(count)}" for table_, count in batch.counts.rows.items()) or "nothing yet"
        allowed = line(rows) if can_replay(batch) else line(("not now: it is under way", "yellow"))
        table.add_row(
            batch.batch_id, state(batch.state), f"{batch.attempt} → {batch.attempt + 1}", number(batch.files), allowed
        )
    console.print(table)
    if only_plan:
        say(console, "nothing was done; without --plan these batches run again")
        return
    for batch in batches:
        if can_replay(batch):
            replay(world, batch)
    again = sum(map(can_replay, batches))
    say(console, f"{plural(again, 'batch')} {'runs' if again == 1 else 'run'} again")


def choose_batches(
    world: World, ids: list[str], dataset: str | None, since: datetime | None, until: datetime | None
) -> list[Batch]:
    """The batches named, or those of a dataset that were created from `since` up to before `until`."""
    if bool(ids) == (dataset is not None):
        raise TidemarkError("expected either ids of batches or --dataset")
    if ids and (since or until):
        raise TidemarkError("expected --from and --to beside --dataset, found them beside ids of batches")
    if ids:
        return [find_batch(world, batch_id) for batch_id in ids]
    chosen = [
        batch
        for one in named(world, dataset or "")
        for batch in world.ledger.batches.all(one)
        if (since is None or batch.created_at >= since)
        and (until is None or batch.created_at < until)
        and can_replay(batch)
    ]
    if not chosen:
        raise TidemarkError(f"expected batches of {dataset} in that time, found none that can be replayed")
    return chosen


def list_quarantine(world: World, console: Console) -> None:
    """Batches with their files, and files, that wait for a person; and batches with rejected records."""
    batches, files = world.ledger.quarantine.contents()
    table = Sheet("what", "name", "since", "reason", "files", spare=("since",), whole=("what", "since"))
    for batch in batches:
        reason = shortened(batch.reason, REASON_MAX, console)
        since = f"{batch.updated_at:%Y-%m-%d %H:%M}"
        table.add_row("batch", in_one_piece(batch.batch_id), since, reason, _first_file(world, batch))
    for refused in files:
        reason = shortened(refused.reason, REASON_MAX, console)
        table.add_row("file", name(refused.file.uri), refused.since[:16].replace("T", " "), reason, NOTHING)
    for dataset in world.datasets:
        for batch in world.ledger.batches.recent(dataset, REJECTED_RECENT):
            if batch.counts.rejected and batch.acknowledged != batch.attempt:
                reason = f"{number(batch.counts.rejected)} of {number(batch.counts.read)} records rejected"
                since = f"{batch.updated_at:%Y-%m-%d %H:%M}"
                table.add_row("records", in_one_piece(batch.batch_id), since, reason, NOTHING)
    console.print(table if table.row_count else "nothing is in quarantine")


def _first_file(world: World, batch: Batch) -> str:
    files = files_of(world, batch)
    if not files:
        return NOTHING
    return name(files[0].uri) + (f" and {number(len(files) - 1)} more" if len(files) > 1 else "")


def show_quarantined(world: World, console: Console, named_: str, limit: int) -> None:
    """Why a file or batch is set aside; of a batch its files and the first rejected records."""
    if is_file(named_):
        refused = find_refused(world, *file_named(named_))
        say_whole(console, f"{name(refused.file.uri)} version {refused.file.version}")
        say(console, refused.reason)
        say_whole(console, f"batch {refused.batch_id}")
        return
    batch = find_batch(world, named_)
    say(console, f"{batch.batch_id} ", state(batch.state), f" {batch.reason}" if batch.reason else "")
    if batch.state is State.QUARANTINED:
        for told in capped([name(file.uri) for file in files_of(world, batch)], f"its manifest {batch.manifest}"):
            say_whole(console, "  ", told)
    _show_rejected(world, console, batch, limit)


def _show_rejected(world: World, console: Console, batch: Batch, limit: int) -> None:
    table = Sheet("file", "position", "reason", "raw", spare=("raw", "position"), figures=("position",))
    listed = list(rejected_files(world, batch))
    for found in listed:
        text = world.store.get(*split_uri(found.uri)) or b""
        for told in text.splitlines()[: limit - table.row_count]:
            record = json.loads(told)
            raw = shortened(record["raw"] or "", RAW_MAX, console)
            table.add_row(name(record["file"]), str(record["position"]), record["reason"], raw)
    console.print(table if table.row_count else "no rejected records")
    rest = sum(found.rows for found in listed) - table.row_count
    if rest > 0:
        say_whole(console, f"and {number(rest)} more, in {listed[0].uri.rpartition('/')[0]}/")


def release(world: World, console: Console, named_: str) -> None:
    """A file becomes a normal file again; a batch runs again."""
    if is_file(named_):
        batch = release_file(world, find_refused(world, *file_named(named_)))
    else:
        batch = release_batch(world, find_batch(world, named_))
    if batch.state is State.FORMING:
        say_whole(console, f"released: {batch.batch_id} goes on as attempt {batch.attempt}")
    else:
        say_whole(console, f"released: {batch.batch_id} has it back after attempt {batch.attempt}, which is under way")


def discard(world: World, console: Console, named_: str) -> None:
    """Give a file or a batch up; what a batch has shown is replaced by nothing."""
    if is_file(named_):
        refused = find_refused(world, *file_named(named_))
        world.ledger.files.discard(refused.file)
        say_whole(console, f"discarded: {name(refused.file.uri)}")
    else:
        batch = discard_batch(world, find_batch(world, named_))
        say_whole(console, f"discarded: {batch.batch_id} shows nothing after attempt {batch.attempt}")


def acknowledge_rejected(world: World, console: Console, batch_id: str) -> None:
    """Take the rejected records of a batch off the list of what waits for a person."""
    batch = acknowledge(world, find_batch(world, batch_id))
    say_whole(console, f"acknowledged: {plural(batch.counts.rejected, 'rejected record')} of {batch.batch_id}")


def pause(world: World, console: Console, dataset: str, paused: bool) -> None:
    """Form no new batches of a dataset, or form them again; files go on being remembered meanwhile."""
    for one in named(world, dataset):
        world.ledger.controls.pause(one, paused)
        say(console, f"{one} is {'paused: files are remembered, no batch is formed' if paused else 'running'}")


def drain(world: World, console: Console, dataset: str, seconds_max: float) -> int:
    """Pause, and wait until what is under way is at rest. Exit status 1 when it takes longer than it may."""
    pause(world, console, dataset, paused=True)
    began = time.monotonic()
    while True:
        left = [batch for one in named(world, dataset) for batch in world.ledger.batches.open(one)]
        if not left:
            say(console, "drained: nothing is under way")
            return 0
        if time.monotonic() - began > seconds_max:
            under_way: list[Part] = [f"{one.batch_id} {one.state}" for one in left]
            say(console, ("not drained", "yellow"), f": {plural(len(left), 'batch')} under way")
            for told in capped(under_way, "`tidemark batches`"):
                say_whole(console, "  ", told)
            return 1
        time.sleep(LOOK_SECONDS)


def _walk(
    world: World, console: Console, dataset: Dataset, prefix: str, files_per_second: float, settled_after: timedelta
) -> None:
    began, missing, seen = time.monotonic(), 0, 0
    # Files that a person brings in, at a rate, must not keep those waiting that land meanwhile.
    background = bool(files_per_second)
    for part in reconcile(world, dataset, prefix, lambda: True, settled_after, background):
        if part.seen > seen:  # not only folders
            say(console, f"{name(prefix)}: {plural(part.seen, 'key')} seen, {number(part.missing)} brought in")
        seen, missing = part.seen, part.missing
        if files_per_second:
            time.sleep(max(0.0, missing / files_per_second - (time.monotonic() - began)))
    say(console, (f"{name(prefix)} is complete", "green"), f": {plural(seen, 'key')}, {number(missing)} brought in")
