"""Removed declarations: which datasets still have files or batches that a deployment without them would leave."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError


@dataclass(frozen=True)
class Removal:
    """A dataset that is no longer declared and has work left."""

    dataset: str
    pending_files: int
    batches: int  # not at rest

    def __str__(self) -> str:
        return f"{self.dataset} (pending files: {self.pending_files}, batches under way: {self.batches})"


def removals(world: World, declared: Collection[str]) -> list[Removal]:
    """Returns the datasets in the ledger that `declared` lacks, and that have files pending or batches under way."""
    removed = sorted(set(world.ledger.declarations.names()) - set(declared))
    found = [Removal(name, _pending_files(world, name), len(world.ledger.batches.open(name))) for name in removed]
    return [removal for removal in found if removal.pending_files or removal.batches]


def refuse_removals(world: World, declared: Collection[str]) -> None:
    """Raises `TidemarkError` if a deployment of these declarations would remove a dataset that has work left."""
    found = removals(world, declared)
    if found:
        raise TidemarkError(
            f"no longer declared: {', '.join(map(str, found))}. Keep the declaration until `tidemark status` shows "
            "nothing pending or under way. With --force, batches finish by the last declaration, and files stay pending"
        )


def _pending_files(world: World, dataset: str) -> int:
    return sum(segment.head.files for segment in world.ledger.segments.all(dataset) if not segment.batch_id)
