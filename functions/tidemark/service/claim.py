"""Decides which batch owns a file version, with one conditional write; an existing claim decides what follows."""

from __future__ import annotations

from collections.abc import Iterator

from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.errors import Conflict, Transient
from tidemark.core.files import Change, FileVersion, Holder, changed_files, child_share, is_newer
from tidemark.core.lifecycle import Batch, State, advance, changed
from tidemark.observability import count
from tidemark.service.documents import read_manifest
from tidemark.service.transitions import announce, perform

TRIES_MAX = 20


def claim(world: World, dataset: Dataset, batch_id: str, file: FileVersion) -> FileVersion | None:
    """Claims a file for the batch. Returns the version that the batch reads of its key; None if it reads none.

    existing claim                 outcome
    none                           the file is claimed
    same version, this batch       the file is ours: this repeats a claim from before a crash
    same version, another batch    the file is a duplicate
    another version                the key was overwritten, and the dataset's policy decides

    Raises `Transient` when the key is overwritten faster than it can be claimed.
    """
    for _ in range(TRIES_MAX):
        known = world.ledger.files.claim(file, dataset.name, batch_id, world.clock.now())
        if known is None:
            return file
        ours = known.batch_id == batch_id
        if known.file.version == file.version:
            return file if ours else None
        if dataset.on_overwrite == "ignore":
            # The batch may have claimed this version under another policy, before a crash: its claim stays.
            return known.file if ours else None
        try:
            return file if _claim_overwritten(world, dataset, batch_id, file, known) else None
        except Conflict:
            continue  # the key's holder, or its batch, has changed meanwhile: claim again
    raise Transient(f"{file.uri} is overwritten faster than it can be claimed")


def _claim_overwritten(world: World, dataset: Dataset, batch_id: str, file: FileVersion, known: Holder) -> bool:
    """Applies the dataset's policy to a key with another claimed version. Returns whether the batch reads `file`."""
    newer = is_newer(file, known.file)
    if newer is None:
        # One version comes from a listing, so the bucket decides: the version that it shows is the latest. If it shows
        # a third version, that one's event or the next pass of reconcile brings it, and the claim stays until then.
        newer = world.store.latest_version(file.bucket, file.key) == file.version
    if dataset.on_overwrite == "append":
        return _append(world, dataset, batch_id, file, known, newer)
    if not newer:
        return False
    holder = holding_batch(world, known.batch_id, file.bucket, file.key)
    if holder is None:
        world.ledger.files.append(known, file, batch_id)
        return True
    # A change even if the holder is this batch: another planner may be writing its manifest with the older version.
    _supersede(world, holder, file, known)
    return holder.batch_id == batch_id


def _append(world: World, dataset: Dataset, batch_id: str, file: FileVersion, known: Holder, newer: bool) -> bool:
    """Claims a version under the policy `append`, as the latest of its key or an older one.

    Returns whether the batch reads it: not if another batch has claimed it.
    """
    claimed = world.ledger.files.older_holder(file)
    if claimed:
        return claimed.batch_id == batch_id
    if newer:
        world.ledger.files.append(known, file, batch_id)
    else:
        world.ledger.files.claim_older(known, file, dataset.name, batch_id, world.clock.now())
    return True


def _supersede(world: World, holder: Batch, file: FileVersion, known: Holder) -> None:
    """Records the new version as a change of the batch that holds the old one, for the batch's next attempt."""
    reason = f"{file.uri} was overwritten by version {file.version}"
    revised, effects = advance(holder, changed(holder, reason), world.clock.now())
    announce(world.ledger.files.supersede(known, file, revised))
    count("FilesSuperseded")
    perform(world, effects)


def holding_batch(world: World, batch_id: str, bucket: str, key: str) -> Batch | None:
    """Returns the batch that a key belongs to: the one that claimed it or, if that was split, a descendant of it.

    A key whose file was refused is in no descendant; it goes to the first one that is not in quarantine. None for an
    unknown batch.
    """
    batch = world.ledger.batches.get(batch_id)
    if batch is None or batch.state is not State.SPLIT:
        return batch
    heirs = [one for one in split_into(world, batch) if one.state is not State.SPLIT]
    has_key = (one for one in heirs if _has(world, one, bucket, key))
    return next(has_key, None) or min(heirs, key=lambda one: one.state is State.QUARANTINED)


def split_into(world: World, batch: Batch) -> Iterator[Batch]:
    """Yields the batch's descendants in the order of their files, each before its parent, and the batch itself last."""
    for child in filter(None, map(world.ledger.batches.get, batch.children)):
        yield from split_into(world, child)
    yield batch


def _has(world: World, batch: Batch, bucket: str, key: str) -> bool:
    return any((file.bucket, file.key) == (bucket, key) for file in _present_files(world, batch))


def _present_files(world: World, batch: Batch) -> list[FileVersion]:
    """Returns the files of the batch's latest manifest, or of its range of the parent's, with all waiting changes."""
    own = world.ledger.files.changes(batch.batch_id, after=max(batch.formed, batch.discarded))
    if batch.file_range and not batch.manifest:
        files, changes = inherited(world, batch)
        return list(changed_files(files, [*changes, *own]).values())
    key = batch.manifest or batch.base_manifest
    return list(changed_files(read_manifest(world, key).files if key else (), own).values())


def inherited(world: World, child: Batch) -> tuple[list[FileVersion], list[Change]]:
    """Returns what an unformed child takes over from its parent: files, and changes that their manifest lacks."""
    assert child.file_range, "only a child has a range of its parent's files"
    parent = world.ledger.batches.get(child.parent)
    assert parent, "a batch is never deleted"
    changes = world.ledger.files.changes(parent.batch_id, after=parent.formed)
    return child_share(read_manifest(world, child.base_manifest).files, child.file_range, changes)
