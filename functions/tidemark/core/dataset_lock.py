"""Turns: the batches of a dataset that remembers keys run one after the other. Pure.

A batch drops the records whose key another batch shows already. Two at once would not know of each other and show a
key twice; so an attempt is given its list of keys, and runs, only while it has the dataset's one turn. The turn is
over when the attempt is: published, failed, overwritten or set aside. An attempt that is over never comes back, so
whoever sees that it is may take the turn, on the condition that it is still the one which was looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidemark.core.dataset import Dataset
from tidemark.core.lifecycle import Batch, State


@dataclass(frozen=True)
class LockHolder:
    """Whose turn it is: one attempt of a batch."""

    batch_id: str
    attempt: int


def needs_lock(dataset: Dataset) -> bool:
    """Whether the dataset's batches wait for each other."""
    return dataset.deduplication_window is not None and dataset.nightly is None


def is_released(holder: LockHolder, batch: Batch | None) -> bool:
    """Whether the turn may be taken by another; `batch` is its holder's, as it is now."""
    return batch is None or batch.attempt != holder.attempt or batch.state not in (State.PLANNED, State.RUNNING)


def is_ready(batch: Batch, now: datetime) -> bool:
    """Whether a run of the batch may be started now."""
    return batch.state is State.PLANNED and (batch.not_before is None or batch.not_before <= now)


def in_order_to_run(batches: Iterable[Batch], now: datetime) -> list[Batch]:
    """Those that may be started, in the order in which they are to run: the oldest first."""
    return sorted((one for one in batches if is_ready(one, now)), key=lambda one: (one.created_at, one.batch_id))


def window(dataset: Dataset, batch: Batch) -> tuple[datetime, datetime]:
    """Batches that were created from the first to the second moment know the batch's keys, and it knows theirs.

    It reaches to both sides: a batch that runs again must not repeat what younger ones have shown since.
    """
    assert dataset.deduplication_window, "asked only where needs_lock"
    return batch.created_at - dataset.deduplication_window, batch.created_at + dataset.deduplication_window
