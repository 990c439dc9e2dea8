"""The dataset lock: batches of a dataset that deduplicates across batches run one at a time. Pure.

A batch drops the records whose key another batch already shows. Two batches that ran at once would not see each other's
keys and would show a key twice. So an attempt holds its dataset's lock from the moment its list of seen keys is made
until it ends: published, failed, overwritten or quarantined. An attempt that has ended never resumes, so any other
attempt may then take over its lock, on the condition that the lock has not changed hands since it was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidemark.core.dataset import Dataset
from tidemark.core.lifecycle import Batch, State


@dataclass(frozen=True)
class LockHolder:
    """The attempt of a batch that holds its dataset's lock."""

    batch_id: str
    attempt: int


def needs_lock(dataset: Dataset) -> bool:
    """Whether the dataset's batches run one at a time."""
    return dataset.deduplication_window is not None and dataset.nightly is None


def is_released(holder: LockHolder, batch: Batch | None) -> bool:
    """Whether another attempt may take over the lock; `batch` is the current state of the holder's batch."""
    return batch is None or batch.attempt != holder.attempt or batch.state not in (State.PLANNED, State.RUNNING)


def is_ready(batch: Batch, now: datetime) -> bool:
    """Whether a run of the batch may start now: it is PLANNED, and its backoff has ended."""
    return batch.state is State.PLANNED and (batch.not_before is None or batch.not_before <= now)


def in_order_to_run(batches: Iterable[Batch], now: datetime) -> list[Batch]:
    """The batches that may start, oldest first, which is the order in which they get the lock."""
    ready = (batch for batch in batches if is_ready(batch, now))
    return sorted(ready, key=lambda batch: (batch.created_at, batch.batch_id))


def window(dataset: Dataset, batch: Batch) -> tuple[datetime, datetime]:
    """The span of creation times of the batches against which this one is deduplicated, both ends included.

    It extends to both sides: a batch that runs again must not repeat keys that younger batches have shown since.
    """
    assert dataset.deduplication_window, "called only for datasets that need the lock"
    return batch.created_at - dataset.deduplication_window, batch.created_at + dataset.deduplication_window
