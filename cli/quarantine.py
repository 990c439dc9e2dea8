"""`tidemark quarantine`: what was set aside, why, and what a person decides about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from cli.names import file_named, is_file
from cli.render import (
    NOTHING,
    Record,
    Sheet,
    capped,
    in_one_piece,
    number,
    plural,
    say,
    say_whole,
    shortened,
    show_json,
    show_table,
    state,
    wants_json,
)
from cli.text import name
from tidemark.adapters.world import World
from tidemark.clock import from_iso, iso
from tidemark.core.files import FileVersion, RefusedFile, split_uri
from tidemark.core.job import RejectedRecord
from tidemark.core.lifecycle import Batch, State
from tidemark.service.operate import (
    acknowledge,
    discard_batch,
    find_batch,
    find_refused,
    rejected_files,
    release_batch,
    release_file,
)
from tidemark.service.report import files_of

RAW_MAX = 80  # characters of a rejected record on the screen
REASON_MAX = 200
REJECTED_RECENT = 100  # batches of a dataset in which rejected records are looked for
REJECTED_SHOWN = 20  # rejected records in the table; `--json` has all


def list_quarantine(world: World, console: Console) -> None:
    """Batches with their files, and files, that wait for a person; and batches with rejected records."""
    batches, refused_files = world.ledger.quarantine.contents()
    table = Sheet(
        "what", "name", "since", "reason", "files", spare=("since",), whole=("what", "since"), texts=("files",)
    )
    for batch in batches:
        _add_batch(table, batch, files_of(world, batch), console)
    for refused in refused_files:
        _add_file(table, refused, console)
    for dataset in world.datasets:
        for batch in world.ledger.batches.recent(dataset, REJECTED_RECENT):
            if batch.counts.rejected and batch.acknowledged != batch.attempt:
                _add_rejected(table, batch)
    show_table(console, table, "nothing is in quarantine")


def _add_batch(table: Sheet, batch: Batch, files: tuple[FileVersion, ...], console: Console) -> None:
    table.add_record(
        _record("batch", batch.batch_id, iso(batch.updated_at), batch.reason, files=[file.uri for file in files]),
        "batch",
        in_one_piece(batch.batch_id),
        _minute(iso(batch.updated_at)),
        shortened(batch.reason, REASON_MAX, console),
        _first_of(files),
    )


def _add_file(table: Sheet, refused: RefusedFile, console: Console) -> None:
    table.add_record(
        _record("file", refused.file.uri, iso(from_iso(refused.since)), refused.reason),
        "file",
        name(refused.file.uri),
        _minute(refused.since),
        shortened(refused.reason, REASON_MAX, console),
        NOTHING,
    )


def _add_rejected(table: Sheet, batch: Batch) -> None:
    read, rejected = batch.counts.read, batch.counts.rejected
    reason = f"{number(rejected)} of {number(read)} records rejected"
    table.add_record(
        _record("records", batch.batch_id, iso(batch.updated_at), reason, rejected=rejected, read=read),
        "records",
        in_one_piece(batch.batch_id),
        _minute(iso(batch.updated_at)),
        reason,
        NOTHING,
    )


def _record(what: str, name_: str, since: str, reason: str, **more: Any) -> Record:
    facts = {"files": None, "read": None, "rejected": None, **more}
    return {"what": what, "name": name_, "since": since, "reason": reason, **facts}


def _minute(since: str) -> str:
    """2026-11-21T08:27:45Z → 2026-11-21 08:27."""
    return since[:16].replace("T", " ")


def _first_of(files: tuple[FileVersion, ...]) -> str:
    if not files:
        return NOTHING
    return name(files[0].uri) + (f" and {number(len(files) - 1)} more" if len(files) > 1 else "")


def show_quarantined(world: World, console: Console, named: str) -> None:
    """Why a file or a batch is set aside; for a batch, its files and its rejected records, too."""
    if is_file(named):
        _show_refused(console, find_refused(world, *file_named(named)))
        return
    batch = find_batch(world, named)
    say(console, f"{batch.batch_id} ", state(batch.state), f" {batch.reason}" if batch.reason else "")
    if batch.state is State.QUARANTINED:
        for uri in capped([name(file.uri) for file in files_of(world, batch)], f"its manifest {batch.manifest}"):
            say_whole(console, "  ", uri)
    _show_rejected(world, console, batch)


def _show_refused(console: Console, refused: RefusedFile) -> None:
    if wants_json(console):
        file = {"file": refused.file.uri, "version": refused.file.version}
        show_json(console, [{**file, "reason": refused.reason, "batch_id": refused.batch_id}])
        return
    say_whole(console, f"{name(refused.file.uri)} version {refused.file.version}")
    say(console, refused.reason)
    say_whole(console, f"batch {refused.batch_id}")


def _show_rejected(world: World, console: Console, batch: Batch) -> None:
    table = Sheet("file", "position", "reason", "raw", spare=("raw", "position"), figures=("position",))
    listed = list(rejected_files(world, batch))
    for record in _rejected_records(world, [file.uri for file in listed]):
        if table.row_count == REJECTED_SHOWN and not wants_json(console):
            break
        position, _, reason, raw = record.rejected
        shown = (name(record.file), str(position), reason, shortened(raw, RAW_MAX, console))
        table.add_record({"file": record.file, "version": record.version, **record.rejected._asdict()}, *shown)
    show_table(console, table, "no rejected records")
    rest = sum(file.rows for file in listed) - table.row_count
    if rest > 0:
        say_whole(console, f"and {number(rest)} more, in {listed[0].uri.rpartition('/')[0]}/")


def _rejected_records(world: World, uris: list[str]) -> Iterator[RejectedRecord]:
    for uri in uris:
        for row in (world.store.get(*split_uri(uri)) or b"").splitlines():
            yield RejectedRecord.loads(row)


def release(world: World, console: Console, named: str) -> None:
    """A file becomes a normal file again; a batch runs again."""
    if is_file(named):
        batch = release_file(world, find_refused(world, *file_named(named)))
    else:
        batch = release_batch(world, find_batch(world, named))
    if batch.state is State.FORMING:
        say_whole(console, f"released: {batch.batch_id} goes on as attempt {batch.attempt}")
    else:
        say_whole(console, f"released: {batch.batch_id} gets it back after attempt {batch.attempt}, which is under way")


def discard(world: World, console: Console, named: str) -> None:
    """Give up a file or a batch; whatever lake and warehouse show of a batch is replaced by nothing."""
    if is_file(named):
        refused = find_refused(world, *file_named(named))
        world.ledger.files.discard(refused.file)
        say_whole(console, f"discarded: {name(refused.file.uri)}")
    else:
        batch = discard_batch(world, find_batch(world, named))
        say_whole(console, f"discarded: {batch.batch_id} shows nothing after attempt {batch.attempt}")


def acknowledge_rejected(world: World, console: Console, batch_id: str) -> None:
    """Take a batch's rejected records off the list of what waits for a person."""
    batch = acknowledge(world, find_batch(world, batch_id))
    say_whole(console, f"acknowledged: {plural(batch.counts.rejected, 'rejected record')} of {batch.batch_id}")
