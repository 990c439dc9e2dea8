"""Puts one batch and what belongs to it back into the ledger. The batch is last, so that a crash repeats everything."""

from __future__ import annotations

from datetime import datetime

from tidemark.adapters.ledger.recovery import Recoverer
from tidemark.adapters.world import World
from tidemark.core.dataset_lock import needs_lock
from tidemark.core.files import FileVersion, Holder, undecided_keys
from tidemark.core.lifecycle import Batch
from tidemark.core.loading import Load
from tidemark.core.naming import born_at, dataset_name
from tidemark.core.recovery import files_of, is_loaded, listed, refused_files, versions_in_order
from tidemark.core.traces import Trace
from tidemark.core.warehouse_ddl import declared_shape, relations
from tidemark.service.day_changes import record_day_changes
from tidemark.service.evidence import Evidence
from tidemark.service.transitions import announce


def put_back(world: World, recoverer: Recoverer, seen: Evidence, batch: Batch, root: str) -> None:
    """Writes the batch and all other items that its trace implies; `root` is the batch that claimed its files.

    Raises `Conflict` if another recovery has begun, or the ledger was sealed.
    """
    trace = seen.traces.get(batch.batch_id)
    if trace:
        _claim(world, recoverer, trace, root)
        _quarantine_files(world, recoverer, trace)
        _free_segments(world, seen.known.get(batch.batch_id))
        world.ledger.declarations.register(batch.dataset, seen.datasets[batch.dataset].declared)
        _record_keys(recoverer, batch, trace)
        _record_days(world, trace)
        _record_warehouse_tables(world, trace)
        _record_load(world, seen, batch)
    announce(recoverer.save(batch))


def _claim(world: World, recoverer: Recoverer, trace: Trace, root: str) -> None:
    by_key: dict[tuple[str, str], list[FileVersion]] = {}
    for file in files_of(trace):
        by_key.setdefault((file.bucket, file.key), []).append(file)
    now = world.clock.now()
    for (bucket, key), files in by_key.items():
        _claim_key(world, recoverer, bucket, key, [Holder(file, root) for file in files], now)


def _claim_key(world: World, recoverer: Recoverer, bucket: str, key: str, claims: list[Holder], now: datetime) -> None:
    """Claims every version of the key: the latest as such, and the others as older versions."""
    latest = world.ledger.files.holder(bucket, key)
    holders = {holder.file.version: holder for holder in world.ledger.files.holders(bucket, key)}
    older = {version for version in holders if latest is None or version != latest.file.version}
    known = [holders[version] for version in sorted(older)] + ([latest] if latest else [])
    files = [held.file for held in (*known, *claims)]
    shown = world.store.latest_version(bucket, key) if undecided_keys(files) else None
    *before, last = versions_in_order(known, claims, shown)
    for held in before:
        if held.file.version not in older:
            recoverer.hold_older(held.file, held.batch_id, now)
    if latest != Holder(last.file, last.batch_id):
        recoverer.hold(last.file, last.batch_id, now, instead=latest)


def _free_segments(world: World, known: Batch | None) -> None:
    """Frees the batch's segments for planners: a file in them may have been another batch's change, which is lost."""
    if known is None:
        return
    for sk in known.segments:
        world.ledger.segments.free(known.dataset, sk, known.background)


def _quarantine_files(world: World, recoverer: Recoverer, trace: Trace) -> None:
    """Puts files that a run has failed on in quarantine, unless they are in the manifest or were overwritten."""
    for file in listed(trace.manifest):
        if file.version in world.ledger.files.refusals(file.bucket, file.key):
            recoverer.take_back(file)
    for file, reason in refused_files(trace).items():
        latest = world.ledger.files.holder(file.bucket, file.key)
        if trace.dataset.on_overwrite == "append" or (latest and latest.file.version == file.version):
            recoverer.set_aside(file, trace.batch_id, reason, world.clock.now())


def _record_keys(recoverer: Recoverer, batch: Batch, trace: Trace) -> None:
    """Records, for a deduplicating dataset, the keys of the attempt that readers of the lake see."""
    attempt = max((attempt for rows in trace.lake.values() for attempt in rows), default=0)
    result = trace.results.get(attempt)
    if needs_lock(trace.dataset) and result and result.keys is not None:
        recoverer.record_keys(batch, attempt, result.keys)


def _record_days(world: World, trace: Trace) -> None:
    """Records the days of a loaded batch as changed by the table's latest commit.

    At worst, a period is computed once more than necessary. A batch that is not loaded is published again, which
    records its days.
    """
    for table in trace.dataset.tables if is_loaded(trace) else ():
        name = table.name if table.kind == "latest" else table.physical_name
        record_day_changes(world, table, world.lake.sequence(name), trace.results.values())


def _record_warehouse_tables(world: World, trace: Trace) -> None:
    """Records the columns by which the batch was loaded, for warehouse tables that the ledger does not know."""
    for table in trace.dataset.tables if trace.loads else ():
        for relation in relations(table):
            if world.ledger.warehouse_tables.columns(relation) is None:
                world.ledger.warehouse_tables.put_columns(relation, declared_shape(table, relation))


def _record_load(world: World, seen: Evidence, batch: Batch) -> None:
    """Records the load that brought the batch into the warehouse, so that `tidemark explain` can show it."""
    if batch.load_id and world.ledger.loads.get(batch.load_id) is None:
        members = tuple(
            (name, attempt)
            for name, loads in seen.loads.items()
            for attempt, load_id in loads.items()
            if load_id == batch.load_id
        )
        datasets = tuple(sorted({dataset_name(name) for name, _ in members}))
        world.ledger.loads.save(Load(batch.load_id, born_at(batch.load_id), members, datasets, state="FINISHED"))
