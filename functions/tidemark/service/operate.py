"""What a person asks for: replay, release, discard. Each is one legal move of the lifecycle, saved like any other."""

from __future__ import annotations

from collections.abc import Iterable

from tidemark.adapters.ledger import RefusedFile
from tidemark.core.errors import Conflict, TidemarkError
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import TRANSITIONS, Batch, Discarded, Replayed, State, Superseded, advance
from tidemark.core.result import DataFile
from tidemark.service.common import announce, move, read_result
from tidemark.wiring import World


def find_batch(world: World, batch_id: str) -> Batch:
    """The batch of that id; raises for one that is not there."""
    batch = world.ledger.batch(batch_id)
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


def discard_batch(world: World, batch: Batch) -> Batch:
    """Give a quarantined batch's files up; what it has shown so far is replaced by nothing."""
    if batch.state is not State.QUARANTINED:
        raise TidemarkError(f"batch {batch.batch_id} is {batch.state}: expected QUARANTINED")
    if batch.period:
        message = f"batch {batch.batch_id} is nightly and has no files to give up: expected `release`, or other input"
        raise TidemarkError(message)
    return move(world, batch, Discarded(batch.attempt, "discarded by a person"))


def find_refused(world: World, bucket: str, key: str) -> RefusedFile:
    """The refused file of that key; raises when it is not in quarantine."""
    refused = (one for one in world.ledger.quarantine()[1] if (one.file.bucket, one.file.key) == (bucket, key))
    found = next(refused, None)
    if found is None:
        raise TidemarkError(f"s3://{bucket}/{key} is not in quarantine (see `tidemark quarantine list`)")
    return found


def release_file(world: World, refused: RefusedFile) -> Batch:
    """Make a refused file a normal file again: its batch's next attempt has it back."""
    batch = find_batch(world, refused.batch_id)
    _refuse_outdated(world, refused.file, world.datasets[batch.dataset].on_overwrite)
    reason = f"{refused.file.uri} was released"
    revised, _ = advance(batch, Superseded(batch.attempt, reason), world.clock.now())
    try:
        saved = world.ledger.restore(revised, refused.file)
    except Conflict:
        message = f"{refused.file.uri} has a newer version by now, or its batch is moving: look again, or discard it"
        raise TidemarkError(message) from None
    announce(saved)
    return saved


def _refuse_outdated(world: World, file: FileVersion, on_overwrite: str) -> None:
    """A version that was overwritten since must not come back in the place of the newer one."""
    holder = world.ledger.holder(file.bucket, file.key)
    if on_overwrite == "supersede" and holder and holder.file.version != file.version:
        raise TidemarkError(f"{file.uri} was overwritten by version {holder.file.version}: expected `discard`")


def rejected_files(world: World, batch: Batch) -> Iterable[DataFile]:
    """Where the present attempt's rejected records lie."""
    result = read_result(world, batch)
    return result.rejected if result else ()
