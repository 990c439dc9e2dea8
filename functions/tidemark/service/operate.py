"""Commands of a person: replay, release, discard. Each is a legal move of the lifecycle and is saved like any other."""

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

#: Tries to release a file whose batch is moved by other functions at the same time.
RELEASES_MAX = 10


def find_batch(world: World, batch_id: str) -> Batch:
    """Returns the batch of that id; raises `TidemarkError` if there is none."""
    batch = world.ledger.batches.get(batch_id)
    if batch is None:
        raise TidemarkError(f"expected the id of a batch (see `tidemark batches`), found {batch_id!r}")
    return batch


def can_replay(batch: Batch) -> bool:
    """Returns whether the batch's state permits a replay."""
    return Replayed in TRANSITIONS[batch.state]


def replay(world: World, batch: Batch) -> Batch:
    """Begins the batch's next attempt, which replaces its rows; raises `TidemarkError` if its state forbids that."""
    if not can_replay(batch):
        raise TidemarkError(f"batch {batch.batch_id} is {batch.state}: expected LOADED, PUBLISHED or QUARANTINED")
    return move(world, batch, Replayed(batch.attempt))


def release_batch(world: World, batch: Batch) -> Batch:
    """Begins the next attempt of a quarantined batch."""
    return replay(world, _quarantined(batch))


def discard_batch(world: World, batch: Batch) -> Batch:
    """Gives up the files of a quarantined batch; its next attempt removes all rows that the batch has shown."""
    _quarantined(batch)
    if batch.period:
        message = f"batch {batch.batch_id} is nightly and has no files to give up: expected `release`, or other input"
        raise TidemarkError(message)
    return move(world, batch, Discarded(batch.attempt, "discarded by a person"))


def acknowledge(world: World, batch: Batch) -> Batch:
    """Takes the rejected records of the batch's present attempt off the list for people; their files stay."""
    if not batch.counts.rejected:
        raise TidemarkError(f"batch {batch.batch_id} has no rejected records to acknowledge")
    return world.ledger.batches.save(replace(batch, acknowledged=batch.attempt))


def _quarantined(batch: Batch) -> Batch:
    if batch.state is not State.QUARANTINED:
        raise TidemarkError(f"batch {batch.batch_id} is {batch.state}: expected QUARANTINED")
    return batch


def find_refused(world: World, bucket: str, key: str) -> RefusedFile:
    """Returns the file of that key in quarantine; raises `TidemarkError` if there is none."""
    for refused in world.ledger.quarantine.contents()[1]:
        if (refused.file.bucket, refused.file.key) == (bucket, key):
            return refused
    raise TidemarkError(f"s3://{bucket}/{key} is not in quarantine (see `tidemark quarantine list`)")


def release_file(world: World, refused: RefusedFile) -> Batch:
    """Returns a file from quarantine to the batch that holds its key, as a change for the batch's next attempt.

    Closes the race with other moves of the batch: it is read again after a `Conflict`. Raises `TidemarkError` if the
    file was overwritten, because an older version must not replace the newer one.
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
            continue  # the file or its batch was changed meanwhile: read both again
        announce(saved)
        return saved
    raise TidemarkError(f"{file.uri} or its batch keeps changing: try again, or `discard` the file")


def _is_latest(world: World, file: FileVersion, on_overwrite: str) -> bool:
    holder = world.ledger.files.holder(file.bucket, file.key)
    latest = holder is not None and holder.file.version == file.version
    if holder and not latest and on_overwrite != "append":
        raise TidemarkError(f"{file.uri} was overwritten by version {holder.file.version}: expected `discard`")
    return latest


def rejected_files(world: World, batch: Batch) -> Iterable[DataFile]:
    """Returns the files of the rejected records of the batch's present attempt."""
    result = read_result(world, batch)
    return result.rejected if result else ()
