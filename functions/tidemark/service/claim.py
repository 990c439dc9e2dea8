"""Whose is a file version? One conditional write answers, and what it finds decides the rest."""

from __future__ import annotations

from collections.abc import Iterator

from tidemark.adapters.ledger import Holder
from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.errors import Conflict, Transient
from tidemark.core.files import Change, FileVersion, changed_files, is_newer, part_of
from tidemark.core.lifecycle import Batch, State, advance, changed
from tidemark.observability import count
from tidemark.service.documents import read_manifest
from tidemark.service.transitions import announce, perform

TRIES_MAX = 20


def claim(world: World, dataset: Dataset, batch_id: str, file: FileVersion) -> FileVersion | None:
    """The version that the batch has of the file's key; None where the file is not for it to read.

    absent                         claimed
    same version, this batch       a crash is being rolled forward: ours
    same version, another batch    a duplicate
    another version                the key was overwritten: the dataset's policy decides
    """
    for _ in range(TRIES_MAX):
        known = world.ledger.claim(file, dataset.name, batch_id, world.clock.now())
        if known is None:
            return file
        ours = known.batch_id == batch_id
        if known.file.version == file.version:
            return file if ours else None
        if dataset.on_overwrite == "ignore":
            # Whoever formed the batch before a crash may have chosen by another policy: what is claimed stands.
            return known.file if ours else None
        try:
            return file if _overwritten(world, dataset, batch_id, file, known) else None
        except Conflict:
            continue  # the holder has moved on meanwhile: look again
    raise Transient(f"{file.uri} is overwritten faster than it can be claimed")


def _overwritten(world: World, dataset: Dataset, batch_id: str, file: FileVersion, known: Holder) -> bool:
    newer = is_newer(file, known.file)
    if newer is None:
        # One of them is known from a listing. What the bucket shows now is the latest; if that is neither of them, its
        # own event or the next pass of reconcile brings it, and until then the key stays where it is.
        newer = world.store.latest_version(file.bucket, file.key) == file.version
    if dataset.on_overwrite == "append":
        return _append(world, dataset, batch_id, file, known, newer)
    if not newer:
        return False
    holder = holding_batch(world, known.batch_id, file.bucket, file.key)
    if holder is None:
        world.ledger.append(known, file, batch_id)
        return True
    # Of this very batch, too: somebody who formed it with the other version may be about to write its manifest.
    _supersede(world, holder, file, known)
    return holder.batch_id == batch_id


def _append(world: World, dataset: Dataset, batch_id: str, file: FileVersion, known: Holder, newer: bool) -> bool:
    """Both versions count: the newer one is the key's, the older one is kept beside it."""
    claimed = world.ledger.older_holder(file)
    if claimed:
        return claimed.batch_id == batch_id
    if newer:
        world.ledger.append(known, file, batch_id)
    else:
        world.ledger.claim_older(known, file, dataset.name, batch_id, world.clock.now())
    return True


def _supersede(world: World, holder: Batch, file: FileVersion, known: Holder) -> None:
    """The batch that holds the old version has the new one in its next attempt, which begins when it is at rest."""
    reason = f"{file.uri} was overwritten by version {file.version}"
    revised, effects = advance(holder, changed(holder, reason), world.clock.now())
    announce(world.ledger.supersede(known, file, revised))
    count("FilesSuperseded")
    perform(world, effects)


def holding_batch(world: World, batch_id: str, bucket: str, key: str) -> Batch | None:
    """The batch that works off a key: the one that claimed it, or the child that took it over.

    A key that no child has any more, because its file was refused, goes to the first that waits for no person; None for
    an unknown batch.
    """
    batch = world.ledger.batch(batch_id)
    if batch is None or batch.state is not State.SPLIT:
        return batch
    heirs = [one for one in split_into(world, batch) if one.state is not State.SPLIT]
    has_key = (one for one in heirs if _has(world, one, bucket, key))
    return next(has_key, None) or min(heirs, key=lambda one: one.state is State.QUARANTINED)


def split_into(world: World, batch: Batch) -> Iterator[Batch]:
    """The batch's descendants in the order of their files, each before its parent; the batch itself comes last."""
    for child in filter(None, map(world.ledger.batch, batch.children)):
        yield from split_into(world, child)
    yield batch


def _has(world: World, batch: Batch, bucket: str, key: str) -> bool:
    return any((file.bucket, file.key) == (bucket, key) for file in files_taken_over(world, batch))


def files_taken_over(world: World, batch: Batch) -> list[FileVersion]:
    """The files of the batch's latest manifest, or those that it has of its parent's, with the changes that wait."""
    own = world.ledger.changes(batch.batch_id, after=max(batch.formed, batch.discarded))
    if batch.file_range and not batch.manifest:
        files, changes = inherited(world, batch)
        return list(changed_files(files, [*changes, *own]).values())
    key = batch.manifest or batch.base_manifest
    return list(changed_files(read_manifest(world, key).files if key else (), own).values())


def inherited(world: World, child: Batch) -> tuple[list[FileVersion], list[Change]]:
    """What a child not yet formed takes over from its parent: files, and the changes that their manifest lacks."""
    assert child.file_range, "only a child has a part of another's manifest"
    parent = world.ledger.batch(child.parent)
    assert parent, "a batch is never deleted"
    changes = world.ledger.changes(parent.batch_id, after=parent.formed)
    return part_of(read_manifest(world, child.base_manifest).files, child.file_range, changes)
