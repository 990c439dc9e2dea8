"""What a person asks for: replay, release, discard. Each is one legal move of the lifecycle, saved like any other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tidemark.adapters.world import World
from tidemark.core.errors import Conflict, TidemarkError
from tidemark.core.files import FileVersion, RefusedFile
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import TRANSITIONS, Batch, Discarded, Replayed, State, advance, changed
from tidemark.service.claim import holding_batch
from tidemark.service.documents import read_result
from tidemark.service.transitions import announce, dataset_of, move

#: A file's batch may be moving while it is released; then it is looked at again.
RELEASES_MAX = 10


def find_batch(world: World, batch_id: str) -> Batch:
    """The batch of that id; raises for one that is not there."""
    batch = world.ledger.batches.get(batch_id)
    if batch is None:
        raise TidemarkError(f"expected the id of a batch (see `tidemark batches`), found {batch_id!r}")
    return batch


def can_replay(batch: Batch) -> bool:
    """Whether the batch may be run again now."""
    return Replayed in TRANSITIONS[batch.state]


def replay(world: World, batch: Batch) -> Batch:
    """Run the batch again as its next attempt: its rows are replaced, never added."""
    if not can_replay(batch):
        raise TidemarkError(f"batch {batch.batch_id} is {batch.state}: expected LOADED, PUBLISHED or QUARANTINED")
    return move(world, batch, Replayed(batch.attempt))


def release_batch(world: World, batch: Batch) -> Batch:
    """Let a quarantined batch run again as its next attempt."""
    return replay(world, _quarantined(batch))


def discard_batch(world: World, batch: Batch) -> Batch:
    """Give a quarantined batch's files up; what it has shown so far is replaced by nothing."""
    _quarantined(batch)
    if batch.period:
        message = f"batch {batch.batch_id} is nightly and has no files to give up: expected `release`, or other input"
        raise TidemarkError(message)
    return move(world, batch, Discarded(batch.attempt, "discarded by a person"))


def acknowledge(world: World, batch: Batch) -> Batch:
    """Take the rejected records of the batch's present attempt off the list; they stay where they are."""
    if not batch.counts.rejected:
        raise TidemarkError(f"batch {batch.batch_id} has no rejected records to acknowledge")
    return world.ledger.batches.save(replace(batch, acknowledged=batch.attempt))


def _quarantined(batch: Batch) -> Batch:
    if batch.state is not State.QUARANTINED:
        raise TidemarkError(f"batch {batch.batch_id} is {batch.state}: expected QUARANTINED")
    return batch


def find_refused(world: World, bucket: str, key: str) -> RefusedFile:
    """The refused file of that key; raises when it is not in quarantine."""
    refused = (one for one in world.ledger.quarantine.contents()[1] if (one.file.bucket, one.file.key) == (bucket, key))
    found = next(refused, None)
    if found is None:
        raise TidemarkError(f"s3://{bucket}/{key} is not in quarantine (see `tidemark quarantine list`)")
    return found


def release_file(world: World, refused: RefusedFile) -> Batch:
    """Make a refused file a normal file again: the next attempt of the batch that works off its key has it back.

    Raises for a version that was overwritten since, which must not come back in the place of the newer one.
    """
    file = refused.file
    for _ in range(RELEASES_MAX):
        batch = holding_batch(world, refused.batch_id, file.bucket, file.key)
        assert batch, "the batch that refused a file is never deleted"
        latest = _is_latest(world, file, dataset_of(world, batch.dataset).on_overwrite)
        revised, _ = advance(batch, changed(batch, f"{file.uri} was released"), world.clock.now())
        try:
            saved = world.ledger.files.restore(revised, file, latest)
        except Conflict:
            continue  # the file or its batch has moved on meanwhile: look again
        announce(saved)
        return saved
    raise TidemarkError(f"{file.uri} is overwritten all the time: try again, or `discard` it")


def _is_latest(world: World, file: FileVersion, on_overwrite: str) -> bool:
    holder = world.ledger.files.holder(file.bucket, file.key)
    latest = holder is not None and holder.file.version == file.version
    if holder and not latest and on_overwrite != "append":
        raise TidemarkError(f"{file.uri} was overwritten by version {holder.file.version}: expected `discard`")
    return latest


def rejected_files(world: World, batch: Batch) -> Iterable[DataFile]:
    """Where the present attempt's rejected records lie."""
    result = read_result(world, batch)
    return result.rejected if result else ()
