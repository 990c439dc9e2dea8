"""plan: pending segments → batches with a manifest.

A crash anywhere is finished by the next plan: the FORMING item holds the fixed list of segments, and every step
(claim, manifest, move, forget the segments) repeats harmlessly.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tidemark.adapters.ledger import Segment
from tidemark.core.batching import due_batches
from tidemark.core.dataset import Dataset
from tidemark.core.errors import Conflict
from tidemark.core.files import FileVersion, settle_versions
from tidemark.core.lifecycle import PATIENCE, Batch, Emptied, Formed, State
from tidemark.core.manifest import Manifest
from tidemark.core.naming import batch_id
from tidemark.observability import count
from tidemark.service.claim import claim
from tidemark.service.common import Efforts, attempt_key, move, read_control
from tidemark.wiring import World

CLAIMS_AT_ONCE = 8
RUNNING = (State.FORMING, State.PLANNED, State.RUNNING)


def plan(world: World, eager: bool = False) -> int:
    """Finish what is FORMING, then form every batch that is due; with `eager` all that is pending is due.

    A paused dataset forms none. All datasets together keep to the settings' `runs_at_once`.

    Returns the number of batches begun.
    """
    unfinished = {name: world.ledger.open_batches(name) for name in world.datasets}
    free = world.settings.runs_at_once - sum(_running(batches) for batches in unfinished.values())
    begun, efforts = 0, Efforts()
    for name, dataset in world.datasets.items():
        if dataset.nightly:
            continue  # `nightly` forms these
        for forming in _to_finish(unfinished[name], world.clock.now(), eager):
            efforts.make(form, world, forming)
        begun += efforts.make(_plan_dataset, world, dataset, unfinished[name], max(0, free - begun), eager)
    efforts.finish()
    return begun


def form(world: World, batch_id: str) -> None:
    """Claim a FORMING batch's files, write the manifest of its attempt, and move it on."""
    batch = world.ledger.batch(batch_id)
    if batch is None or batch.state is not State.FORMING or world.datasets[batch.dataset].nightly:
        return
    found, duplicates = _files(world, batch)
    try:
        if not found and batch.attempt == 1:
            move(world, batch, Emptied(batch.attempt, duplicates))
        else:
            key, manifest = _write_manifest(world, batch, found)
            move(world, batch, Formed(batch.attempt, key, len(manifest.files), manifest.total_bytes, duplicates))
            count("BatchesPlanned")
    except Conflict:
        return  # somebody else has formed it, or it has a new attempt; its segments are theirs to forget
    count("FilesDuplicated", duplicates)
    for segment in batch.segments:
        world.ledger.delete_segment(batch.dataset, segment)


def _running(batches: list[Batch]) -> int:
    # A nightly batch that is FORMING waits for a run itself: it must not keep files waiting.
    return sum(batch.state in RUNNING and not (batch.period and batch.state is State.FORMING) for batch in batches)


def _to_finish(unfinished: list[Batch], now: datetime, eager: bool) -> list[str]:
    """Batches that are FORMING and that nobody is at: left by a crash, or come back for another manifest."""
    forming = (batch for batch in unfinished if batch.state is State.FORMING)
    return [batch.batch_id for batch in forming if eager or batch.due_at is None or batch.due_at <= now]


def _plan_dataset(world: World, dataset: Dataset, unfinished: list[Batch], free: int, eager: bool) -> int:
    listed = world.ledger.segments(dataset.name)
    _forget_spent(world, dataset, listed)
    if world.ledger.paused(dataset.name):
        return 0
    # The dataset's own limit, or what is left of the limit for all, whichever leaves fewer.
    running = max(_running(unfinished), dataset.batch.max_running - free)
    pending = [segment.head for segment in listed if not segment.batch_id]
    groups = due_batches(pending, dataset.batch, running, world.clock.now(), eager)
    return sum(_begin(world, dataset, [segment.segment_id for segment in group]) for group in groups)


def _begin(world: World, dataset: Dataset, segments: list[str]) -> int:
    now = world.clock.now()
    batch = Batch(
        batch_id=batch_id(dataset.name, segments, now),
        dataset=dataset.name,
        created_at=now,
        updated_at=now,
        due_at=now + PATIENCE[State.FORMING],
        segments=tuple(segments),
    )
    try:
        world.ledger.begin(batch)
    except Conflict:
        return 0  # another planner has taken one of the segments
    form(world, batch.batch_id)
    return 1


def _files(world: World, batch: Batch) -> tuple[list[FileVersion], int]:
    """The attempt's files, in the order of their keys, and how many were dropped as another batch's."""
    dataset = world.datasets[batch.dataset]
    listed = [file for sk in batch.segments for file in world.ledger.segment_files(batch.dataset, sk)]
    wanted, outdated = settle_versions(listed, dataset.on_overwrite)
    mine = _claimed(world, dataset, batch, wanted)
    files = {(file.bucket, file.key, file.version): file for file in [*_base(world, batch), *mine]}
    for change in world.ledger.changes(batch.batch_id, after=batch.discarded):
        files = change.apply(files)
    return [files[name] for name in sorted(files)], len(wanted) - len(mine) + len(outdated)


def _base(world: World, batch: Batch) -> list[FileVersion]:
    """What an earlier manifest gives: the attempt before, or a child's part of its parent's."""
    if not batch.base:
        return []
    manifest = read_manifest(world, batch.base)
    first, last = batch.part or (0, len(manifest.files))
    return list(manifest.files[first:last])


def read_manifest(world: World, key: str) -> Manifest:
    """A manifest that the ledger names."""
    return Manifest.loads(read_control(world, key))


def _claimed(world: World, dataset: Dataset, batch: Batch, files: Iterable[FileVersion]) -> list[FileVersion]:
    wanted = list(files)
    outcomes = world.map(lambda file: claim(world, dataset, batch.batch_id, file), wanted, CLAIMS_AT_ONCE)
    return [file for file, mine in zip(wanted, outcomes, strict=True) if mine]


def _write_manifest(world: World, batch: Batch, files: list[FileVersion]) -> tuple[str, Manifest]:
    """The attempt's manifest; when a crashed plan has written it already, that one stands."""
    key = attempt_key(batch, "manifest.json")
    manifest = Manifest(batch.batch_id, batch.attempt, batch.dataset, tuple(files))
    if world.store.put_once(world.settings.control_bucket, key, manifest.dumps()):
        return key, manifest
    return key, read_manifest(world, key)


def _forget_spent(world: World, dataset: Dataset, listed: list[Segment]) -> None:
    """Delete segments that a batch has worked off, left behind by a crash after its move."""
    for segment in listed:
        holder = world.ledger.batch(segment.batch_id) if segment.batch_id else None
        if holder and segment.sk not in holder.segments:
            world.ledger.delete_segment(dataset.name, segment.sk)
