"""Reports from the ledger: the status of datasets, the history of a file (docs/architecture.md#invariants, no. 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from tidemark.adapters.world import World
from tidemark.core.dataset_lock import in_order_to_run, is_released, needs_lock
from tidemark.core.files import FileVersion, Holder
from tidemark.core.job import FileCount
from tidemark.core.lifecycle import Batch, State
from tidemark.core.loading import Load
from tidemark.core.manifest import Manifest
from tidemark.service.claim import split_into
from tidemark.service.documents import read_result

RECENT = 200  # latest batches in a dataset's status


@dataclass(frozen=True)
class DatasetStatus:
    """The status of one dataset: its pending files and its RECENT latest batches."""

    dataset: str
    pending_files: int
    pending_bytes: int
    oldest_at: datetime | None  # landing of the oldest pending file
    states: Mapping[State, int]  # state → number of batches
    oldest: Mapping[State, datetime]  # state → since when its oldest batch is in it; only states not at rest
    waiting_for_lock: int  # PLANNED batches that wait while another holds the dataset lock
    paused: bool
    period: str  # latest period of a nightly job
    read: int
    kept: int
    rejected: int
    duplicate_records: int


def dataset_status(world: World, dataset: str) -> DatasetStatus:
    """Returns the status of a dataset: its pending files, and its latest batches by state."""
    pending = [segment.head for segment in world.ledger.segments.all(dataset) if not segment.batch_id]
    batches = world.ledger.batches.recent(dataset, RECENT)
    return DatasetStatus(
        dataset,
        pending_files=sum(segment.files for segment in pending),
        pending_bytes=sum(segment.bytes for segment in pending),
        oldest_at=min((segment.oldest_at for segment in pending), default=None),
        states=Counter(batch.state for batch in batches),
        oldest=_oldest(batches),
        waiting_for_lock=_waiting_for_lock(world, dataset, batches),
        paused=world.ledger.controls.paused(dataset),
        period=max((batch.period for batch in batches), default=""),
        read=sum(batch.counts.read for batch in batches),
        kept=sum(batch.counts.kept for batch in batches),
        rejected=sum(batch.counts.rejected for batch in batches),
        duplicate_records=sum(batch.counts.duplicate_records for batch in batches),
    )


def _oldest(batches: Iterable[Batch]) -> dict[State, datetime]:
    oldest: dict[State, datetime] = {}
    for batch in batches:
        if not batch.at_rest:
            oldest[batch.state] = min(batch.updated_at, oldest.get(batch.state, batch.updated_at))
    return oldest


def _waiting_for_lock(world: World, dataset: str, batches: Iterable[Batch]) -> int:
    holder = world.ledger.locks.holder(dataset) if needs_lock(world.datasets[dataset]) else None
    if holder is None or is_released(holder, next(world.ledger.batches.named([holder.batch_id]), None)):
        return 0
    return sum(batch.batch_id != holder.batch_id for batch in in_order_to_run(batches, world.clock.now()))


@dataclass(frozen=True)
class AttemptHistory:
    """One attempt of a batch: the records that it read of the file, the tables that it wrote, and its load."""

    batch: Batch
    count: FileCount | None  # the file's records, once there is a result
    tables: Mapping[str, tuple[int, int]]  # table → (number of files, rows) of the whole batch
    load: Load | None
    ended: str  # why the next attempt followed; empty for the latest attempt


@dataclass(frozen=True)
class FileHistory:
    """One claimed version of a key, with its batch and all attempts of it."""

    holder: Holder
    batch: Batch | None
    attempts: tuple[AttemptHistory, ...]
    refused: str  # why this version was put in quarantine; empty if it was not


def explain(world: World, bucket: str, key: str) -> list[FileHistory]:
    """Returns the history of every claimed version of the key, latest version first; empty for an unknown key."""
    refusals = world.ledger.files.refusals(bucket, key)
    return [_history(world, holder, refusals) for holder in world.ledger.files.holders(bucket, key)]


def _history(world: World, holder: Holder, refusals: Mapping[str, str]) -> FileHistory:
    batch = _batch_of(world, holder)
    attempts = world.ledger.batches.attempts(batch.batch_id) if batch else []
    histories = tuple(_attempt(world, *pair, holder) for pair in zip_longest(attempts, attempts[1:]))
    return FileHistory(holder, batch, histories, refusals.get(holder.file.version, ""))


def _batch_of(world: World, holder: Holder) -> Batch | None:
    """Returns the batch that has the file: the one that claimed it or, if that was split, a descendant of it."""
    batch = world.ledger.batches.get(holder.batch_id)
    if batch is None or batch.state is not State.SPLIT:
        return batch
    return next((one for one in split_into(world, batch) if _lists(world, one, holder)), batch)


def _lists(world: World, batch: Batch, holder: Holder) -> bool:
    return any(file.identity == holder.file.identity for file in files_of(world, batch))


def files_of(world: World, batch: Batch) -> tuple[FileVersion, ...]:
    """Returns the files of the present attempt's manifest; none without a manifest, none for a nightly batch."""
    text = world.store.get(world.settings.control_bucket, batch.manifest) if batch.manifest else None
    return Manifest.loads(text).files if text and not batch.period else ()


def _attempt(world: World, batch: Batch, following: Batch | None, holder: Holder) -> AttemptHistory:
    result = read_result(world, batch)
    ended = (following.because or following.reason) if following else ""
    load = world.ledger.loads.get(batch.load_id) if batch.load_id else None
    if result is None:
        return AttemptHistory(batch, None, {}, load, ended)
    count = next((file for file in result.files if file.identity == holder.file.identity), None)
    tables = {name: (len(files), sum(file.rows for file in files)) for name, files in result.tables.items()}
    return AttemptHistory(batch, count, tables, load, ended)
