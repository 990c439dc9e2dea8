"""What a person reads: status, batches, the story of a file, the rows of a query."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.tree import Tree

from tidemark.adapters.store import split_uri
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch, State
from tidemark.service.report import AttemptStory, FileStory, Standing, explain, standing
from tidemark.wiring import World

COLOURS = {State.LOADED: "green", State.EMPTY: "dim", State.SPLIT: "dim", State.QUARANTINED: "red"}
QUERY_SECONDS_MAX = 900


def show_status(world: World, console: Console) -> None:
    """One row a dataset: what is pending, its newest period, its batches by state, its records."""
    table = make_table("dataset", "pending", "bytes", "waiting", "period", "batches", "read", "kept", "rejected")
    for name in sorted(world.datasets):
        found = standing(world, name)
        table.add_row(
            name,
            number(found.pending_files),
            size(found.pending_bytes),
            duration(world.clock.now() - found.oldest_at) if found.oldest_at else "–",
            found.period or "–",
            _states(found),
            number(found.read),
            number(found.kept),
            number(found.rejected),
        )
    console.print(table)


def show_batches(world: World, console: Console, dataset: str | None, limit: int) -> None:
    """The newest batches, newest first."""
    if dataset is not None and dataset not in world.datasets:
        raise TidemarkError(f"expected a dataset ({', '.join(sorted(world.datasets))}), found {dataset!r}")
    names = [dataset] if dataset else sorted(world.datasets)
    batches = sorted(
        (batch for name in names for batch in world.ledger.recent(name, limit)),
        key=lambda batch: batch.created_at,
        reverse=True,
    )
    table = make_table(
        "batch", "period", "state", "attempt", "files", "bytes", "read", "kept", "rejected", "took", "reason"
    )
    for batch in batches[:limit]:
        table.add_row(
            batch.batch_id,
            batch.period or "–",
            state(batch.state),
            str(batch.attempt),
            number(batch.files),
            size(batch.bytes),
            number(batch.read),
            number(batch.kept),
            number(batch.rejected),
            duration(batch.updated_at - batch.created_at),
            batch.reason[:60] or "–",
        )
    console.print(table)


def show_file(world: World, console: Console, uri: str) -> None:
    """The story of a file: every version, its batch, and every attempt down to the rows in the warehouse."""
    if not uri.startswith("s3://") or "/" not in uri.removeprefix("s3://"):
        raise TidemarkError(f"expected s3://bucket/key, found {uri!r}")
    bucket, key = split_uri(uri)
    stories = explain(world, bucket, key)
    if not stories:
        pending = _pending_in(world, bucket, key)
        raise TidemarkError(f"{uri} is pending in {pending}" if pending else f"no batch has seen {uri}")
    for story in stories:
        console.print(_tree(uri, story))


def run_query(world: World, console: Console, sql: str) -> None:
    """Run SQL in the warehouse and print its rows."""
    settings = world.settings
    client = world.client("redshift-data")
    target = {"WorkgroupName": settings.warehouse_workgroup, "Database": settings.warehouse_database}
    statement = client.execute_statement(**target, Sql=sql)["Id"]
    found = _wait(client, statement)
    if found["Status"] != "FINISHED":
        raise TidemarkError(f"the warehouse refused the query: {found.get('Error', found['Status'])}")
    if not found.get("HasResultSet"):
        console.print(f"done, {max(0, found.get('ResultRows', 0))} rows")
        return
    columns = client.get_statement_result(Id=statement)["ColumnMetadata"]
    table = make_table(*(column["name"] for column in columns))
    for row in world.warehouse.rows(statement):
        table.add_row(*("–" if value is None else str(value) for value in row))
    console.print(table)


def _wait(client: Any, statement: str) -> dict[str, Any]:
    pause, waited = 0.02, 0.0
    while waited < QUERY_SECONDS_MAX:
        found: dict[str, Any] = client.describe_statement(Id=statement)
        if found["Status"] in ("FINISHED", "FAILED", "ABORTED"):
            return found
        time.sleep(pause)
        waited, pause = waited + pause, min(1.0, pause * 1.5)
    raise TidemarkError(f"the query has not ended after {QUERY_SECONDS_MAX} s")


def _pending_in(world: World, bucket: str, key: str) -> str | None:
    for name, dataset in world.datasets.items():
        if dataset.owns(key):
            for segment in world.ledger.segments(name):
                files = world.ledger.segment_files(name, segment.sk)
                if any((file.bucket, file.key) == (bucket, key) for file in files):
                    return name
    return None


def _tree(uri: str, story: FileStory) -> Tree:
    file = story.holder.file
    tree = Tree(f"[bold]{uri}[/]\nversion {file.version} · {size(file.size)} · landed {file.landed_at or 'unknown'}")
    if story.batch is None:
        tree.add(f"claimed by {story.holder.batch_id}, which is not there")
        return tree
    batch = tree.add(f"batch [bold]{story.batch.batch_id}[/] {state(story.batch.state)} {story.batch.reason}".rstrip())
    if story.refused:
        batch.add(f"[red]this file was set aside[/] and is in quarantine: {story.refused}")
    for attempt in story.attempts:
        node = batch.add(f"attempt {attempt.batch.attempt} {_outcome(attempt.batch, story.batch.attempt)}")
        for line in _attempt_lines(attempt):
            node.add(line)
    return tree


def _outcome(attempt: Batch, newest: int) -> str:
    """How an attempt stands; one that a newer attempt has overtaken ended where it was."""
    overtaken = attempt.attempt < newest and not attempt.at_rest
    return f"[dim]given up while {attempt.state}[/]" if overtaken else state(attempt.state)


def _attempt_lines(story: AttemptStory) -> Iterable[str]:
    batch = story.batch
    yield f"manifest {batch.manifest or 'not yet written'} · {plural(batch.files, 'file')}"
    if batch.run_id:
        yield f"job run {batch.run_id}"
    if story.count:
        count = story.count
        problem = f" · [yellow]{count.problem}[/]" if count.problem else ""
        yield (
            f"this file: {number(count.read)} read = {number(count.kept)} kept"
            f" + {number(count.rejected)} rejected + {number(count.repeated)} repeated{problem}"
        )
    for table, (files, rows) in story.tables.items():
        yield f"lake {table}: {plural(rows, 'row')} in {plural(files, 'file')} (the whole batch)"
    if story.load:
        yield f"load {story.load.load_id} {story.load.state} · statement {story.load.statement_id or 'not yet sent'}"


def _states(found: Standing) -> str:
    return ", ".join(_counted(found, which) for which in State if found.states.get(which)) or "–"


def _counted(found: Standing, which: State) -> str:
    counted, waiting = f"{state(which)} {found.states[which]}", found.waiting_for_turn
    if which is State.PLANNED and waiting:
        return f"{counted} ({waiting} {'waits for its' if waiting == 1 else 'wait for their'} turn)"
    return counted


def make_table(*columns: str) -> Table:
    """A plain table; columns of figures stand to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    numeric = {
        "pending",
        "bytes",
        "attempt",
        "files",
        "read",
        "kept",
        "rejected",
        "rows",
        "lake",
        "warehouse",
        "due",
    }
    for column in columns:
        justify: JustifyMethod = "right" if column in numeric else "left"
        # What is copied from here into the next command must stay in one piece, and so must a figure.
        whole = column in numeric or column in {"batch", "dataset", "period"}
        table.add_column(column, justify=justify, overflow="fold", no_wrap=whole)
    return table


def state(which: State) -> str:
    """A state in its colour."""
    return f"[{COLOURS.get(which, 'cyan')}]{which}[/]"


def number(value: int) -> str:
    """1234567 → 1,234,567."""
    return f"{value:,}"


def plural(value: int, noun: str) -> str:
    """1 file, 2 files."""
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


def size(value: float) -> str:
    """Bytes for a person."""
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def duration(value: timedelta) -> str:
    """A time span for a person."""
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
