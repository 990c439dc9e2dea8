"""What a person reads: the state of every dataset, the latest batches, and the history of a file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from cli.names import file_named, named
from cli.render import (
    NOTHING,
    Part,
    Record,
    Sheet,
    duration,
    line,
    number,
    plural,
    say,
    say_whole,
    shortened,
    show_table,
    size,
    state,
)
from cli.text import name
from tidemark.adapters.world import World
from tidemark.clock import iso
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch, State
from tidemark.core.passes import PassHistory
from tidemark.service.reconcile import passes
from tidemark.service.report import AttemptHistory, DatasetStatus, FileHistory, dataset_status, explain
from tidemark.service.seal import Seal, look

REASON_MAX = 200  # characters of a reason in a list on the screen


def show_status(world: World, console: Console) -> None:
    """One row for each dataset: pending files, latest period, batches by state, records, latest pass of reconcile."""
    table = Sheet(
        "dataset", "pending", "bytes", "waiting", "period", "batches", "read", "kept", "rejected", "duplicates",
        "reconciled",
        spare=("bytes", "period", "reconciled", "waiting", "kept", "duplicates"), whole=("waiting", "reconciled"),
    )  # fmt: skip
    now, passed = world.clock.now(), passes(world)
    for dataset in sorted(world.datasets):
        status, last = dataset_status(world, dataset), passed.get(dataset)
        table.add_record(_status_record(status, last), *_status_cells(status, last, now))
    show_table(console, table)
    if look(world) is Seal.FOREIGN:
        say(console, ("the ledger was restored or lost", "red"), ": nothing goes on before `tidemark recover`")


def _status_cells(status: DatasetStatus, passed: PassHistory | None, now: datetime) -> tuple[Part, ...]:
    return (
        status.dataset,
        number(status.pending_files),
        size(status.pending_bytes),
        duration(now - status.oldest_at) if status.oldest_at else NOTHING,
        status.period or NOTHING,
        _states(status, now),
        number(status.read),
        number(status.kept),
        number(status.rejected),
        number(status.duplicate_records),
        _reconciled(passed, now) if passed else NOTHING,
    )


def _status_record(status: DatasetStatus, passed: PassHistory | None) -> Record:
    return {
        "dataset": status.dataset,
        "pending_files": status.pending_files,
        "pending_bytes": status.pending_bytes,
        "oldest_pending_at": _iso(status.oldest_at),
        "period": status.period or None,
        "paused": status.paused,
        "batches": {str(which): status.states[which] for which in State if status.states.get(which)},
        "in_state_since": {str(which): iso(since) for which, since in status.oldest.items()},
        "waiting_for_lock": status.waiting_for_lock,
        "read": status.read,
        "kept": status.kept,
        "rejected": status.rejected,
        "duplicate_records": status.duplicate_records,
        "reconciled_at": _iso(passed.began) if passed else None,
        "reconciled_whole_at": _iso(passed.whole) if passed else None,
    }


def _iso(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _reconciled(passed: PassHistory, now: datetime) -> str:
    """The age of the latest comparison of bucket and ledger, and of the latest one of everything if that is another."""
    if not passed.began:
        return "never"
    whole = f", whole {duration(passed.whole_age(now))}" if passed.whole != passed.began else ""
    return f"{duration(passed.age(now))} ago{whole}"


def _states(status: DatasetStatus, now: datetime) -> Text:
    counts = [_counted(status, which, now) for which in State if status.states.get(which)]
    parts = [Text("paused", "yellow"), *counts] if status.paused else counts
    return Text(", ").join(parts) if parts else Text(NOTHING)


def _counted(status: DatasetStatus, which: State, now: datetime) -> Text:
    notes = []
    if which is State.PLANNED and status.waiting_for_lock:
        waits = "waits" if status.waiting_for_lock == 1 else "wait"
        notes.append(f"{status.waiting_for_lock} {waits} for the lock")
    if which in status.oldest:
        notes.append(f"for {duration(now - status.oldest[which])}")
    return line(state(which), f" {status.states[which]}", f" ({', '.join(notes)})" if notes else "")


def show_batches(world: World, console: Console, dataset: str | None, limit: int) -> None:
    """The latest batches, latest first."""
    names = sorted(world.datasets) if dataset is None else named(world, dataset)
    batches = sorted(
        (batch for each in names for batch in world.ledger.batches.recent(each, limit)),
        key=lambda batch: batch.created_at,
        reverse=True,
    )
    table = Sheet(
        "batch", "period", "state", "attempt", "files", "bytes", "read", "kept", "rejected", "duplicates", "took",
        "reason",
        spare=("bytes", "duplicates", "files", "kept", "took", "period", "attempt", "read", "rejected"),
        whole=("state", "took"),
    )  # fmt: skip
    now = world.clock.now()
    for batch in batches[:limit]:
        table.add_record(_batch_record(batch, now), *_batch_cells(batch, now, console))
    show_table(console, table, "no batch yet")


def _batch_cells(batch: Batch, now: datetime, console: Console) -> tuple[Part, ...]:
    return (
        batch.batch_id,
        batch.period or NOTHING,
        state(batch.state),
        str(batch.attempt),
        number(batch.files),
        size(batch.bytes),
        number(batch.counts.read),
        number(batch.counts.kept),
        number(batch.counts.rejected),
        number(batch.counts.duplicate_records),
        duration(batch.took(now)),
        shortened(_why(batch), REASON_MAX, console) or NOTHING,
    )


def _batch_record(batch: Batch, now: datetime) -> Record:
    return {
        "batch_id": batch.batch_id,
        "dataset": batch.dataset,
        "period": batch.period or None,
        "state": str(batch.state),
        "attempt": batch.attempt,
        "files": batch.files,
        "bytes": batch.bytes,
        "read": batch.counts.read,
        "kept": batch.counts.kept,
        "rejected": batch.counts.rejected,
        "duplicate_records": batch.counts.duplicate_records,
        "created_at": iso(batch.created_at),
        "updated_at": iso(batch.updated_at),
        "took_seconds": batch.took(now).total_seconds(),
        "reason": batch.reason or None,
        "attempt_because": batch.because or None,
    }


def _why(batch: Batch) -> str:
    """What is wrong with the batch, or else what ended the attempt before this one."""
    before = f"attempt {batch.attempt - 1}: {batch.because}" if batch.because else ""
    return batch.reason or before


def show_file(world: World, console: Console, uri: str) -> None:
    """The history of a file: every version, its batch, and every attempt down to the rows in the warehouse."""
    bucket, key = file_named(uri)
    versions = explain(world, bucket, key)
    if not versions:
        pending = _pending_in(world, bucket, key)
        raise TidemarkError(f"{uri} is pending in {pending}" if pending else f"no batch has seen {uri}")
    for version in versions:
        say_whole(console, (name(uri), "bold"))
        console.print(_tree(version))


def _pending_in(world: World, bucket: str, key: str) -> str | None:
    for dataset in (each for each, declared in world.datasets.items() if declared.owns(key)):
        for segment in world.ledger.segments.all(dataset):
            files = world.ledger.segments.files(dataset, segment.sk)
            if any((file.bucket, file.key) == (bucket, key) for file in files):
                return dataset
    return None


def _tree(version: FileHistory) -> Tree:
    file = version.holder.file
    tree = Tree(line(f"version {file.version} · {size(file.size)} · landed {file.landed_at or 'unknown'}"))
    if version.batch is None:
        tree.add(line(f"claimed by {version.holder.batch_id}, which is not there"))
        return tree
    title = line("batch ", (version.batch.batch_id, "bold"), " ", state(version.batch.state))
    batch = tree.add(line(title, f" {version.batch.reason}" if version.batch.reason else ""))
    if version.refused:
        batch.add(line(("this file was set aside", "red"), f" and is in quarantine: {version.refused}"))
    for attempt in version.attempts:
        node = batch.add(line(f"attempt {attempt.batch.attempt} ", _outcome(attempt, version.batch.attempt)))
        for row in _attempt_lines(attempt):
            node.add(row)
    return tree


def _outcome(attempt: AttemptHistory, latest: int) -> Text:
    """The state of an attempt; one that a newer attempt has replaced ended in its state, and says why."""
    batch, why = attempt.batch, f": {attempt.ended}" if attempt.ended else ""
    if batch.attempt == latest:
        return state(batch.state)
    if batch.at_rest:
        return line(state(batch.state), f", replaced{why}")
    return line((f"given up while {batch.state}", "dim"), why)


def _attempt_lines(attempt: AttemptHistory) -> Iterable[Text]:
    batch = attempt.batch
    yield line(f"manifest {batch.manifest or 'not yet written'} · {plural(batch.files, 'file')}")
    if batch.run_id:
        yield line(f"job run {batch.run_id}")
    if attempt.count:
        count = attempt.count
        counts = (
            f"this file: {number(count.read)} read = {number(count.kept)} kept"
            f" + {number(count.rejected)} rejected + {number(count.duplicate_records)} duplicates"
        )
        yield line(counts, " · " if count.problem else "", (count.problem or "", "yellow"))
    for table, (files, rows) in attempt.tables.items():
        yield line(f"lake {table}: {plural(rows, 'row')} in {plural(files, 'file')} (the whole batch)")
    if attempt.load:
        load = attempt.load
        yield line(
            f"load {load.load_id} {load.state} · statement {load.statement_id or 'not yet sent'}",
            f" · {load.reason}" if load.reason else "",
        )
