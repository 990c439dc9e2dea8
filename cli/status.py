"""What a person reads: status, batches, the story of a file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from cli.names import file_named, named
from cli.render import NOTHING, Sheet, duration, line, name, number, plural, say, say_whole, shortened, size, state
from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch, State
from tidemark.core.passes import Passed
from tidemark.service.reconcile import passes
from tidemark.service.report import AttemptHistory, DatasetStatus, FileHistory, dataset_status, explain
from tidemark.service.seal import Seal, look

REASON_MAX = 200  # characters of a reason in a list on the screen


def show_status(world: World, console: Console) -> None:
    """One row a dataset: what is pending, its latest period, its batches by state, its records, its last pass."""
    table = Sheet(
        "dataset", "pending", "bytes", "waiting", "period", "batches", "read", "kept", "rejected", "repeated",
        "reconciled",
        spare=("bytes", "period", "reconciled", "waiting", "kept", "repeated"), whole=("waiting", "reconciled"),
    )  # fmt: skip
    now, passed = world.clock.now(), passes(world)
    for dataset in sorted(world.datasets):
        found = dataset_status(world, dataset)
        table.add_row(
            dataset,
            number(found.pending_files),
            size(found.pending_bytes),
            duration(now - found.oldest_at) if found.oldest_at else NOTHING,
            found.period or NOTHING,
            _states(found, now),
            number(found.read),
            number(found.kept),
            number(found.rejected),
            number(found.duplicate_records),
            _reconciled(passed[dataset], now) if dataset in passed else NOTHING,
        )
    console.print(table)
    if look(world) is Seal.FOREIGN:
        say(console, ("the ledger was set back or lost", "red"), ": nothing goes on before `tidemark recover`")


def _reconciled(passed: Passed, now: datetime) -> str:
    """How long ago bucket and ledger were compared; and over everything, where that was another pass."""
    if not passed.began:
        return "never"
    whole = f", whole {duration(passed.whole_age(now))}" if passed.whole != passed.began else ""
    return f"{duration(passed.age(now))} ago{whole}"


def _states(found: DatasetStatus, now: datetime) -> Text:
    counted = [_counted(found, which, now) for which in State if found.states.get(which)]
    told = [Text("paused", "yellow"), *counted] if found.paused else counted
    return Text(", ").join(told) if told else Text(NOTHING)


def _counted(found: DatasetStatus, which: State, now: datetime) -> Text:
    notes = []
    if which is State.PLANNED and found.waiting_for_lock:
        waits = "waits for its" if found.waiting_for_lock == 1 else "wait for their"
        notes.append(f"{found.waiting_for_lock} {waits} turn")
    if which in found.oldest:
        notes.append(f"for {duration(now - found.oldest[which])}")
    return line(state(which), f" {found.states[which]}", f" ({', '.join(notes)})" if notes else "")


def show_batches(world: World, console: Console, dataset: str | None, limit: int) -> None:
    """The latest batches, latest first."""
    names = sorted(world.datasets) if dataset is None else named(world, dataset)
    batches = sorted(
        (batch for one in names for batch in world.ledger.batches.recent(one, limit)),
        key=lambda batch: batch.created_at,
        reverse=True,
    )
    table = Sheet(
        "batch", "period", "state", "attempt", "files", "bytes", "read", "kept", "rejected", "repeated", "took",
        "reason",
        spare=("bytes", "repeated", "files", "kept", "took", "period", "attempt", "read", "rejected"),
        whole=("state", "took"),
    )  # fmt: skip
    now = world.clock.now()
    for batch in batches[:limit]:
        table.add_row(
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
    console.print(table if table.row_count else "no batch yet")


def _why(batch: Batch) -> str:
    """Why the batch stands where it is, or else what ended the attempt before this one."""
    before = f"attempt {batch.attempt - 1}: {batch.because}" if batch.because else ""
    return batch.reason or before


def show_file(world: World, console: Console, uri: str) -> None:
    """The story of a file: every version, its batch, and every attempt down to the rows in the warehouse."""
    bucket, key = file_named(uri)
    stories = explain(world, bucket, key)
    if not stories:
        pending = _pending_in(world, bucket, key)
        raise TidemarkError(f"{uri} is pending in {pending}" if pending else f"no batch has seen {uri}")
    for story in stories:
        say_whole(console, (name(uri), "bold"))
        console.print(_tree(story))


def _pending_in(world: World, bucket: str, key: str) -> str | None:
    for dataset in (one for one, declared in world.datasets.items() if declared.owns(key)):
        for segment in world.ledger.segments.all(dataset):
            files = world.ledger.segments.files(dataset, segment.sk)
            if any((file.bucket, file.key) == (bucket, key) for file in files):
                return dataset
    return None


def _tree(story: FileHistory) -> Tree:
    file = story.holder.file
    tree = Tree(line(f"version {file.version} · {size(file.size)} · landed {file.landed_at or 'unknown'}"))
    if story.batch is None:
        tree.add(line(f"claimed by {story.holder.batch_id}, which is not there"))
        return tree
    told = line("batch ", (story.batch.batch_id, "bold"), " ", state(story.batch.state))
    batch = tree.add(line(told, f" {story.batch.reason}" if story.batch.reason else ""))
    if story.refused:
        batch.add(line(("this file was set aside", "red"), f" and is in quarantine: {story.refused}"))
    for attempt in story.attempts:
        node = batch.add(line(f"attempt {attempt.batch.attempt} ", _outcome(attempt, story.batch.attempt)))
        for told in _attempt_lines(attempt):
            node.add(told)
    return tree


def _outcome(story: AttemptHistory, latest: int) -> Text:
    """How an attempt stands; one that a newer attempt has overtaken ended where it was, and says why."""
    batch, why = story.batch, f": {story.ended}" if story.ended else ""
    if batch.attempt == latest:
        return state(batch.state)
    if batch.at_rest:
        return line(state(batch.state), f", replaced{why}")
    return line((f"given up while {batch.state}", "dim"), why)


def _attempt_lines(story: AttemptHistory) -> Iterable[Text]:
    batch = story.batch
    yield line(f"manifest {batch.manifest or 'not yet written'} · {plural(batch.files, 'file')}")
    if batch.run_id:
        yield line(f"job run {batch.run_id}")
    if story.count:
        count = story.count
        told = (
            f"this file: {number(count.read)} read = {number(count.kept)} kept"
            f" + {number(count.rejected)} rejected + {number(count.duplicate_records)} repeated"
        )
        yield line(told, " · " if count.problem else "", (count.problem or "", "yellow"))
    for table, (files, rows) in story.tables.items():
        yield line(f"lake {table}: {plural(rows, 'row')} in {plural(files, 'file')} (the whole batch)")
    if story.load:
        load = story.load
        told = f"load {load.load_id} {load.state} · statement {load.statement_id or 'not yet sent'}"
        yield line(told, f" · {load.reason}" if load.reason else "")
