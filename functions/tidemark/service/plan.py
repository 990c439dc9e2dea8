"""plan: makes batches with a manifest of pending segments, as slots become free.

The next plan completes a batch after a crash: the FORMING item has the fixed list of segments, and each step (claim,
write the manifest, move the batch, delete the segments) can be repeated. A batch that returns to FORMING, because a
file was overwritten, released or refused, or because of a replay, waits for a slot like a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from tidemark.adapters.world import World
from tidemark.core.batching import Segment, due_batches
from tidemark.core.dataset import Dataset
from tidemark.core.errors import Conflict, IllegalMove
from tidemark.core.files import FileVersion, changed_files, resolve_versions, undecided_keys
from tidemark.core.lifecycle import PATIENCE, Batch, Emptied, Formed, State, advance, changed
from tidemark.core.manifest import Manifest
from tidemark.core.naming import batch_id
from tidemark.core.slots import Request, grant, holds_slot, is_background
from tidemark.observability import count
from tidemark.service.claim import claim, inherited
from tidemark.service.documents import attempt_key, read_manifest
from tidemark.service.errors import Efforts, newer_left_alone
from tidemark.service.transitions import begin, dataset_of, known_datasets, move, unfinished_batches

CLAIMS_AT_ONCE = 8

Pending = Mapping[tuple[str, bool], list[Segment]]  # (dataset, background) → segments without a batch


def plan(world: World, eager: bool = False) -> int:
    """Completes batches that a crash has left, then begins and forms as many batches as there are slots for.

    `eager` takes all pending segments without waiting for the datasets' batch policy. A paused dataset begins no batch,
    nor does one whose declaration was removed; its unfinished batches continue. Returns the number of batches begun.
    """
    known, now, efforts = known_datasets(world), world.clock.now(), Efforts()
    unfinished = unfinished_batches(world, known)
    for batch in unfinished:
        if _is_abandoned(batch, now, eager):
            efforts.make(form, world, batch.batch_id)
    pending = {
        (name, background): segments
        for name, dataset in world.datasets.items()
        if not dataset.nightly
        for background in (False, True)
        for segments in [_free_segments(world, name, background)]
        if segments and not world.ledger.controls.paused(name)
    }
    requests = [*_forming(unfinished), *_due(pending, world.datasets, now, eager)]
    limits = {name: dataset.batch.max_running for name, dataset in known.items()}
    held = [batch for batch in unfinished if holds_slot(batch)]
    granted = grant(requests, held, limits, world.settings.runs_at_once)
    begun = 0
    for request in granted:
        # For a nightly batch, plan only keeps the slot; `nightly` forms it.
        if request.batch_id and not known[request.dataset].nightly:
            efforts.make(form, world, request.batch_id)
    new = [request for request in granted if not request.batch_id]
    for (name, background), segments in pending.items():
        slots = sum((request.dataset, request.background) == (name, background) for request in new)
        heads = [segment.head for segment in segments]
        for group in due_batches(heads, world.datasets[name].batch, slots, now, eager):
            begun += efforts.make(_begin, world, name, [head.segment_id for head in group], background)
    efforts.finish()
    return begun


@newer_left_alone()
def form(world: World, batch_id: str) -> None:
    """Claims the files of a FORMING batch, writes its attempt's manifest, and moves it to PLANNED or EMPTY."""
    batch = world.ledger.batches.get(batch_id)
    if batch is None or batch.state is not State.FORMING or batch.period:
        return
    files, duplicate_files = _files(world, batch)
    try:
        if not files and batch.attempt == 1:
            move(world, batch, Emptied(batch.attempt, duplicate_files, batch.changes))
        else:
            key, manifest = _write_manifest(world, batch, files)
            formed = Formed(
                batch.attempt, key, len(manifest.files), manifest.total_bytes, duplicate_files, changes=manifest.changes
            )
            move(world, batch, formed)
            count("BatchesPlanned")
    except (Conflict, IllegalMove):
        return  # another planner has formed it or will form it again, and deletes its segments
    count("FilesDuplicated", duplicate_files)
    for segment in batch.segments:
        world.ledger.segments.delete(batch.dataset, segment, batch.background)


@newer_left_alone()
def finish(world: World, batch_id: str) -> None:
    """Forms a batch that has begun and holds a slot; one without a slot goes on waiting."""
    batch = world.ledger.batches.get(batch_id)
    if batch and holds_slot(batch):
        form(world, batch_id)


def _is_abandoned(batch: Batch, now: datetime, eager: bool) -> bool:
    """Returns whether the batch has begun with its segments and no planner seems to be working on it."""
    begun = batch.state is State.FORMING and holds_slot(batch)
    return begun and (eager or batch.due_at is None or batch.due_at <= now)


def _free_segments(world: World, dataset: str, background: bool) -> list[Segment]:
    """Returns the pending segments without a batch; deletes those of formed batches, which a crash has left."""
    free = []
    for segment in world.ledger.segments.pending(dataset, background):
        if not segment.batch_id:
            free.append(segment)
            continue
        with newer_left_alone():
            holder = world.ledger.batches.get(segment.batch_id)
            if holder and segment.sk not in holder.segments:
                world.ledger.segments.delete(dataset, segment.sk, background)
    return free


def _forming(unfinished: Iterable[Batch]) -> Iterator[Request]:
    """Yields a request for each batch that waits for a slot: to be formed again, or as a child of a split batch."""
    for batch in unfinished:
        if batch.state is State.FORMING and not holds_slot(batch):
            yield Request(batch.dataset, batch.updated_at, is_background(batch), batch.batch_id)


def _due(pending: Pending, datasets: Mapping[str, Dataset], now: datetime, eager: bool) -> Iterator[Request]:
    """Yields a request for each batch that the pending segments would make if there were slots for all."""
    for (name, background), segments in pending.items():
        policy, heads = datasets[name].batch, [segment.head for segment in segments]
        for group in due_batches(heads, policy, policy.max_running, now, eager):
            yield Request(name, group[0].oldest_at, background)


def _begin(world: World, dataset: str, segments: list[str], background: bool) -> int:
    now = world.clock.now()
    batch = Batch(
        batch_id=batch_id(dataset, segments, now),
        dataset=dataset,
        created_at=now,
        updated_at=now,
        due_at=now + PATIENCE[State.FORMING],
        segments=tuple(segments),
        background=background,
    )
    try:
        begin(world, batch)
    except Conflict:
        return 0  # another planner has taken one of the segments
    form(world, batch.batch_id)
    return 1


def _files(world: World, batch: Batch) -> tuple[list[FileVersion], int]:
    """Returns the attempt's files, sorted by key and version, and how many pending files were dropped."""
    dataset = dataset_of(world, batch.dataset)
    pending = [file for sk in batch.segments for file in world.ledger.segments.files(batch.dataset, sk)]
    latest = {} if dataset.on_overwrite == "append" else _latest_versions(world, pending)
    wanted, outdated = resolve_versions(pending, dataset.on_overwrite, latest)
    claimed = _claim_files(world, dataset, batch, wanted)
    earlier = _earlier_files(world, batch)
    files = changed_files([*earlier, *claimed], world.ledger.files.changes(batch.batch_id, after=batch.discarded))
    return [files[identity] for identity in sorted(files)], len(wanted) - len(claimed) + len(outdated)


def _latest_versions(world: World, files: Iterable[FileVersion]) -> dict[tuple[str, str], str]:
    """Returns the bucket's latest version of each key whose listed versions cannot be put in order."""
    versions = {name: world.store.latest_version(*name) for name in sorted(undecided_keys(files))}
    return {name: version for name, version in versions.items() if version}


def _earlier_files(world: World, batch: Batch) -> list[FileVersion]:
    """Returns the files that the manifest starts from: those of the previous attempt, or a range of the parent's."""
    if batch.file_range:
        files, changes = inherited(world, batch)
        return list(changed_files(files, changes).values())
    return list(read_manifest(world, batch.base_manifest).files) if batch.base_manifest else []


def _claim_files(world: World, dataset: Dataset, batch: Batch, files: Iterable[FileVersion]) -> list[FileVersion]:
    claims = world.map(lambda file: claim(world, dataset, batch.batch_id, file), files, CLAIMS_AT_ONCE)
    return [file for file in claims if file]


def _write_manifest(world: World, batch: Batch, files: list[FileVersion]) -> tuple[str, Manifest]:
    """Writes the attempt's manifest and returns its key and contents.

    Closes the race between two planners of one batch: the first manifest stays and is returned to both.
    """
    key = attempt_key(batch, "manifest.json")
    manifest = Manifest(batch.batch_id, batch.attempt, batch.dataset, tuple(files), batch.changes)
    if world.store.put_once(world.settings.control_bucket, key, manifest.dumps()):
        return key, manifest
    existing = read_manifest(world, key)
    _record_omissions(world, batch, existing, files)
    return key, existing


def _record_omissions(world: World, batch: Batch, existing: Manifest, files: Iterable[FileVersion]) -> None:
    """Records each claimed file that the existing manifest lacks, as a change for the batch's next attempt.

    It can lack files if it was written before a deployment that changed the policy for overwritten keys.
    """
    listed = changed_files(existing.files, world.ledger.files.changes(batch.batch_id, after=existing.changes))
    for file in files:
        if file.identity not in listed:
            current, holder = world.ledger.batches.get(batch.batch_id), world.ledger.files.holder(file.bucket, file.key)
            assert current, "a batch is never deleted"
            assert holder, "the file is claimed"
            reason = f"{file.uri} was left out of the manifest"
            revised, _ = advance(current, changed(current, reason), world.clock.now())
            world.ledger.files.restore(revised, file, latest=holder.file.version == file.version)
