"""What one batch's traces put back into the ledger. The batch itself comes last: until then it is found again."""

from __future__ import annotations

from datetime import datetime

from tidemark.adapters.ledger import Holder
from tidemark.adapters.world import World
from tidemark.core.dataset_lock import needs_lock
from tidemark.core.files import FileVersion, undecided_keys
from tidemark.core.lifecycle import Batch
from tidemark.core.loading import Load
from tidemark.core.naming import born_at, dataset_name
from tidemark.core.recovery import Held, files_of, in_order, is_loaded, listed, set_aside
from tidemark.core.traces import Trace
from tidemark.core.warehouse_ddl import declared_shape, relations
from tidemark.service.day_changes import record_day_changes
from tidemark.service.evidence import Evidence
from tidemark.service.transitions import announce


def put_back(world: World, seen: Evidence, batch: Batch, root: str) -> None:
    """The batch as it is to be, with all that the ledger holds besides; `root` is the batch that claimed its files."""
    trace = seen.traces.get(batch.batch_id)
    if trace:
        _claim(world, trace, root)
        _set_aside(world, trace)
        _free_segments(world, seen.known.get(batch.batch_id))
        world.ledger.register(batch.dataset, seen.datasets[batch.dataset].declared)
        _remember_keys(world, batch, trace)
        _mark(world, trace)
        _note_tables(world, trace)
        _note_load(world, seen, batch)
    announce(world.ledger.save(batch))


def _claim(world: World, trace: Trace, root: str) -> None:
    by_key: dict[tuple[str, str], list[FileVersion]] = {}
    for file in files_of(trace):
        by_key.setdefault((file.bucket, file.key), []).append(file)
    now = world.clock.now()
    for (bucket, key), files in by_key.items():
        _claim_key(world, bucket, key, [Held(file, root) for file in files], now)


def _claim_key(world: World, bucket: str, key: str, found: list[Held], now: datetime) -> None:
    """Let every version be held, the latest as such, and the others beside it."""
    latest = world.ledger.holder(bucket, key)
    held = {one.file.version: one for one in world.ledger.holders(bucket, key)}
    older = {version for version in held if latest is None or version != latest.file.version}
    known = [Held(held[version].file, held[version].batch_id) for version in sorted(older)]
    known += [Held(latest.file, latest.batch_id)] if latest else []
    files = [one.file for one in (*known, *found)]
    shown = world.store.latest_version(bucket, key) if undecided_keys(files) else None
    *before, last = in_order(known, found, shown)
    for one in before:
        if one.file.version not in older:
            world.ledger.hold_older(one.file, one.batch_id, now)
    if latest != Holder(last.file, last.batch_id):
        world.ledger.hold(last.file, last.batch_id, now, instead=latest)


def _free_segments(world: World, known: Batch | None) -> None:
    """Its segments are looked at again: a file of them may have become another batch's change, which is forgotten."""
    if known is None:
        return
    for sk in known.segments:
        world.ledger.free_segment(known.dataset, sk, known.background)


def _set_aside(world: World, trace: Trace) -> None:
    """Files that a run has blamed wait for a person; not those that are worked on, or that were overwritten."""
    for file in listed(trace.manifest):
        if file.version in world.ledger.refusals(file.bucket, file.key):
            world.ledger.take_back(file)
    for file, reason in set_aside(trace).items():
        latest = world.ledger.holder(file.bucket, file.key)
        if trace.dataset.on_overwrite == "append" or (latest and latest.file.version == file.version):
            world.ledger.set_aside(file, trace.batch_id, reason, world.clock.now())


def _remember_keys(world: World, batch: Batch, trace: Trace) -> None:
    """Where keys are remembered: those of the attempt that readers of the lake see."""
    attempt = max((one for rows in trace.lake.values() for one in rows), default=0)
    result = trace.results.get(attempt)
    if needs_lock(trace.dataset) and result and result.keys is not None:
        world.ledger.put_keys(batch, attempt, result.keys)


def _mark(world: World, trace: Trace) -> None:
    """Its days count as changed by the latest commit: at worst a night is computed once more than it had to be.

    What is not loaded yet is published again, and marked then.
    """
    for table in trace.dataset.tables if is_loaded(trace) else ():
        name = table.name if table.kind == "latest" else table.physical_name
        record_day_changes(world, table, world.lake.sequence(name), trace.results.values())


def _note_tables(world: World, trace: Trace) -> None:
    """The warehouse's tables have at least the columns by which the batch was loaded."""
    for table in trace.dataset.tables if trace.loads else ():
        for relation in relations(table):
            if world.ledger.warehouse_columns(relation) is None:
                world.ledger.put_warehouse_columns(relation, declared_shape(table, relation))


def _note_load(world: World, seen: Evidence, batch: Batch) -> None:
    """The load by which it is in the warehouse, so that its story can be told."""
    if batch.load_id and world.ledger.load(batch.load_id) is None:
        members = tuple(
            (name, attempt)
            for name, loads in seen.loads.items()
            for attempt, load_id in loads.items()
            if load_id == batch.load_id
        )
        datasets = tuple(sorted({dataset_name(name) for name, _ in members}))
        world.ledger.save_load(Load(batch.load_id, born_at(batch.load_id), members, datasets, state="FINISHED"))
