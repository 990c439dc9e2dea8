"""Whose is a file version? One conditional write answers, and what it finds decides the rest."""

from __future__ import annotations

from tidemark.adapters.ledger import Holder
from tidemark.core.dataset import Dataset
from tidemark.core.errors import Conflict, Transient
from tidemark.core.files import FileVersion, is_newer
from tidemark.core.lifecycle import Batch, State, Superseded, advance
from tidemark.core.manifest import Manifest
from tidemark.observability import count
from tidemark.service.common import announce, perform
from tidemark.wiring import World

TRIES_MAX = 20


def claim(world: World, dataset: Dataset, batch_id: str, file: FileVersion) -> bool:
    """Whether the file version belongs to the batch.

    absent                         claimed
    same version, this batch       a crash is being rolled forward: ours
    same version, another batch    a duplicate
    another version                the key was overwritten: the dataset's policy decides
    """
    for _ in range(TRIES_MAX):
        known = world.ledger.claim(file, dataset.name, batch_id, world.clock.now())
        if known is None:
            return True
        if known.file.version == file.version:
            return known.batch_id == batch_id
        try:
            return _overwritten(world, dataset, batch_id, file, known)
        except Conflict:
            continue  # the holder has moved on meanwhile: look again
    raise Transient(f"{file.uri} is overwritten faster than it can be claimed")


def _overwritten(world: World, dataset: Dataset, batch_id: str, file: FileVersion, known: Holder) -> bool:
    if dataset.on_overwrite == "ignore":
        return False
    newer = is_newer(file, known.file)
    if dataset.on_overwrite == "append":
        return _append(world, dataset, batch_id, file, known, newer)
    if not newer:
        return False
    holder = _holding_batch(world, known.batch_id, file)
    if holder is None or holder.batch_id == batch_id:
        world.ledger.append(known, file, batch_id)
        return True
    _supersede(world, holder, file, known)
    return False


def _append(world: World, dataset: Dataset, batch_id: str, file: FileVersion, known: Holder, newer: bool) -> bool:
    if newer:
        world.ledger.append(known, file, batch_id)
        return True
    older = world.ledger.claim_older(file, dataset.name, batch_id, world.clock.now())
    return older is None or older.batch_id == batch_id


def _supersede(world: World, holder: Batch, file: FileVersion, known: Holder) -> None:
    """The batch that holds the old version gets its next attempt, with the new version in its manifest."""
    reason = f"{file.uri} was overwritten by version {file.version}"
    revised, effects = advance(holder, Superseded(holder.attempt, reason), world.clock.now())
    announce(world.ledger.supersede(known, file, revised))
    count("FilesSuperseded")
    perform(world, effects)


def _holding_batch(world: World, batch_id: str, file: FileVersion) -> Batch | None:
    """The batch that works off the key: the one named, or the child that took the file over from it."""
    batch = world.ledger.batch(batch_id)
    if batch is None or batch.state is not State.SPLIT:
        return batch
    for child in batch.children:
        found = _holding_batch(world, child, file)
        if found and _holds(world, found, file):
            return found
    return None


def _holds(world: World, batch: Batch, file: FileVersion) -> bool:
    """Whether one of the batch's manifests lists the key; a child not yet formed is told by its base."""
    text = world.store.get(world.settings.control_bucket, batch.manifest or batch.base)
    files = Manifest.loads(text).files if text else ()
    if not batch.manifest and batch.part:
        files = files[batch.part[0] : batch.part[1]]
    return any((held.bucket, held.key) == (file.bucket, file.key) for held in files)
