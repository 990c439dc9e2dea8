"""What every service function shares: save on a condition, then perform what follows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from tidemark.core.dataset import Dataset
from tidemark.core.declaration import parse_dataset
from tidemark.core.lifecycle import Alarm, Batch, CancelRun, Effect, Event, advance
from tidemark.core.naming import attempt_prefix
from tidemark.core.result import Result
from tidemark.core.warehouse_sql import LoadBatch
from tidemark.observability import count, logger
from tidemark.wiring import World


def move(world: World, batch: Batch, event: Event) -> Batch:
    """Advance, save, perform. Raises `IllegalMove` or `Conflict` with nothing changed."""
    moved, effects = advance(batch, event, world.clock.now())
    saved = world.ledger.save(moved)
    announce(saved)
    perform(world, effects)
    return saved


def announce(batch: Batch) -> None:
    """One log line per move: the batch's life can be read off them."""
    logger.info(
        "batch moved",
        batch_id=batch.batch_id,
        state=str(batch.state),
        attempt=batch.attempt,
        files=batch.files,
        run_id=batch.run_id,
        load_id=batch.load_id,
        reason=batch.reason,
    )


def perform(world: World, effects: Iterable[Effect]) -> None:
    """Do what follows from a saved move. Repeating it, or dying before it, harms nothing."""
    for effect in effects:
        if isinstance(effect, CancelRun):
            world.engine.cancel(effect.run_id)
        elif isinstance(effect, Alarm):
            count("BatchesQuarantined")
            logger.error("batch quarantined", batch_id=effect.batch_id, reason=effect.reason)


def unfinished_batches(world: World) -> list[Batch]:
    """Every batch that is not at rest, as the index knows them."""
    return [batch for name in world.datasets for batch in world.ledger.open_batches(name)]


def read_control(world: World, key: str) -> bytes:
    """A document that the ledger names; its absence is a broken control bucket."""
    text = world.store.get(world.settings.control_bucket, key)
    if text is None:
        raise FileNotFoundError(f"s3://{world.settings.control_bucket}/{key}")
    return text


def attempt_key(batch: Batch | LoadBatch, name: str) -> str:
    """The key of a document of the batch's present attempt."""
    return attempt_prefix(batch.dataset, batch.batch_id, batch.attempt) + name


def read_result(world: World, batch: Batch | LoadBatch) -> Result | None:
    """What the job of the batch's present attempt reported; None where there is no report."""
    text = world.store.get(world.settings.lake_bucket, attempt_key(batch, "result.json"))
    return Result.loads(text) if text else None


def declaration_of(world: World, batch: Batch | LoadBatch) -> Dataset:
    """The declaration that the batch's present attempt worked by; a deployment may have changed the dataset's since."""
    text = world.store.get(world.settings.control_bucket, attempt_key(batch, "order.json"))
    return parse_dataset(json.loads(text)["dataset"]) if text else world.datasets[batch.dataset]


class Efforts:
    """Several steps of which none waits for another's luck: errors are kept, and raised together at the end."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def make(self, step: Callable[..., int | None], *arguments: object) -> int:
        """What the step returns; 0 when it raised."""
        try:
            return step(*arguments) or 0
        except Exception as error:  # noqa: BLE001 - whatever it was, the others' turn comes first
            self.errors.append(error)
            return 0

    def finish(self) -> None:
        """Raise what was raised; one error as itself."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise ExceptionGroup(f"{len(self.errors)} steps failed", self.errors)
