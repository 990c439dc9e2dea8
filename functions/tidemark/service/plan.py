"""plan: pending segments → batches with a manifest, as slots become free.

A crash anywhere is finished by the next plan: the FORMING item holds the fixed list of segments, and every step
(claim, manifest, move, forget the segments) repeats harmlessly. A batch that comes back to FORMING, because a file was
overwritten, released or set aside, or because it is replayed, waits for a slot like a new one.
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
from tidemark.service.errors import Efforts  # fmt: skip
from tidemark.service.transitions import begin, dataset_of, known_datasets, move, unfinished_batches

CLAIMS_AT_ONCE = 8

Pending = Mapping[tuple[str, bool], list[Segment]]  # (dataset, background) → segments that no batch has taken


def plan(world: World, eager: bool = False) -> int:
    """Finish what a crash has left, then form as many batches as there are slots for: `eager`, all that is pending.

    A paused dataset begins none. A dataset whose declaration is gone begins none either; what is under way goes on.

    Returns the number of batches begun.
    """
    known, now, efforts = known_datasets(world), world.clock.now(), Efforts()
    unfinished = unfinished_batches(world, known)
    for batch in unfinished:
        if _is_left_over(batch, now, eager):
            efforts.make(form, world, batch.batch_id)
    pending = {
        (name, background): segments
        for name, dataset in world.datasets.items()
        if not dataset.nightly
        for background in (False, True)
        for segments in [_untaken(world, name, background)]
        if segments and not world.ledger.controls.paused(name)
    }
    requests = [*_forming(unfinished), *_due(pending, world.datasets, now, eager)]
    limits = {name: dataset.batch.max_running for name, dataset in known.items()}
    held = [batch for batch in unfinished if holds_slot(batch)]
    granted = grant(requests, held, limits, world.settings.runs_at_once)
    begun = 0
    for request in (one for one in granted if one.batch_id):
        # A nightly batch only has its slot kept: `nightly` forms it.
        if not known[request.dataset].nightly:
            efforts.make(form, world, request.batch_id)
    for (name, background), segments in pending.items():
        slots = sum(not one.batch_id and (one.dataset, one.background) == (name, background) for one in granted)
        heads = [segment.head for segment in segments]
        for group in due_batches(heads, world.datasets[name].batch, slots, now, eager):
            begun += efforts.make(_begin, world, name, [head.segment_id for head in group], background)
    efforts.finish()
    return begun


def form(world: World, batch_id: str) -> None:
    """Claim a FORMING batch's files, write the manifest of its attempt, and move it on."""
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
        return  # somebody else has formed it, or must form it anew; its segments are theirs to forget
    count("FilesDuplicated", duplicate_files)
    for segment in batch.segments:
        world.ledger.segments.delete(batch.dataset, segment, batch.background)


def finish(world: World, batch_id: str) -> None:
    """`form` for a batch that was begun and not formed; one that waits for a slot goes on waiting."""
    batch = world.ledger.batches.get(batch_id)
    if batch and holds_slot(batch):
        form(world, batch_id)


def _is_left_over(batch: Batch, now: datetime, eager: bool) -> bool:
    """Whether the batch was begun with its segments, and nobody seems to be at it."""
    begun = batch.state is State.FORMING and holds_slot(batch)
    return begun and (eager or batch.due_at is None or batch.due_at <= now)


def _untaken(world: World, dataset: str, background: bool) -> list[Segment]:
    """The pending segments that no batch has taken; those that were worked off before a crash are forgotten."""
    untaken = []
    for segment in world.ledger.segments.pending(dataset, background):
        holder = world.ledger.batches.get(segment.batch_id) if segment.batch_id else None
        if not segment.batch_id:
            untaken.append(segment)
        elif holder and segment.sk not in holder.segments:
            world.ledger.segments.delete(dataset, segment.sk, background)
    return untaken


def _forming(unfinished: Iterable[Batch]) -> Iterator[Request]:
    """Batches that wait for a slot to be formed again, or for the first time as another's child."""
    for batch in unfinished:
        if batch.state is State.FORMING and not holds_slot(batch):
            yield Request(batch.dataset, batch.updated_at, is_background(batch), batch.batch_id)


def _due(pending: Pending, datasets: Mapping[str, Dataset], now: datetime, eager: bool) -> Iterator[Request]:
    """One request for each batch that could be made of what is pending, were there slots for all."""
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
    """The attempt's files, in the order of their keys, and how many were dropped as another batch's."""
    dataset = dataset_of(world, batch.dataset)
    listed = [file for sk in batch.segments for file in world.ledger.segments.files(batch.dataset, sk)]
    latest = {} if dataset.on_overwrite == "append" else _latest(world, listed)
    wanted, outdated = resolve_versions(listed, dataset.on_overwrite, latest)
    mine = _claimed(world, dataset, batch, wanted)
    base = _base(world, batch)
    files = changed_files([*base, *mine], world.ledger.files.changes(batch.batch_id, after=batch.discarded))
    return [files[name] for name in sorted(files)], len(wanted) - len(mine) + len(outdated)


def _latest(world: World, files: Iterable[FileVersion]) -> dict[tuple[str, str], str]:
    """What the bucket shows now of keys whose versions do not tell which came last."""
    shown = {name: world.store.latest_version(*name) for name in sorted(undecided_keys(files))}
    return {name: version for name, version in shown.items() if version}


def _base(world: World, batch: Batch) -> list[FileVersion]:
    """What an earlier manifest gives: the attempt before, or a child's part of its parent's."""
    if batch.file_range:
        files, changes = inherited(world, batch)
        return list(changed_files(files, changes).values())
    return list(read_manifest(world, batch.base_manifest).files) if batch.base_manifest else []


def _claimed(world: World, dataset: Dataset, batch: Batch, files: Iterable[FileVersion]) -> list[FileVersion]:
    claimed = world.map(lambda file: claim(world, dataset, batch.batch_id, file), files, CLAIMS_AT_ONCE)
    return [file for file in claimed if file]


def _write_manifest(world: World, batch: Batch, files: list[FileVersion]) -> tuple[str, Manifest]:
    """The attempt's manifest; when a crashed plan has written it already, that one stands."""
    key = attempt_key(batch, "manifest.json")
    manifest = Manifest(batch.batch_id, batch.attempt, batch.dataset, tuple(files), batch.changes)
    if world.store.put_once(world.settings.control_bucket, key, manifest.dumps()):
        return key, manifest
    standing = read_manifest(world, key)
    _note_missing(world, batch, standing, files)
    return key, standing


def _note_missing(world: World, batch: Batch, standing: Manifest, files: Iterable[FileVersion]) -> None:
    """What the manifest lacks of the files claimed is a change of the batch, for its next attempt to have.

    So it is where the manifest was written under another policy for overwritten keys, before a deployment.
    """
    listed = changed_files(standing.files, world.ledger.files.changes(batch.batch_id, after=standing.changes))
    for file in files:
        if file.identity not in listed:
            found, holder = world.ledger.batches.get(batch.batch_id), world.ledger.files.holder(file.bucket, file.key)
            assert found, "a batch is never deleted"
            assert holder, "the file is claimed"
            revised, _ = advance(found, changed(found, f"{file.uri} was left out of the manifest"), world.clock.now())
            world.ledger.files.restore(revised, file, latest=holder.file.version == file.version)
