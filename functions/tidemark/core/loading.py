"""Decides which published batches are loaded together, and when the warehouse is woken for them. Pure.

Redshift Serverless bills at least 60 s per wake-up (docs/aws-facts.md#redshift-serverless-billing). So the warehouse is
woken when some dataset has waited as long as its policy says, and each wake-up loads all that is published.

All datasets of a load belong to one shard (`warehouse_ddl.SHARDS`). The loads of a shard run one after the other, those
of different shards in parallel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidemark.core.dataset import Column, Dataset
from tidemark.core.lifecycle import Batch, State
from tidemark.core.load_limits import STATEMENTS_MAX, statements_needed
from tidemark.core.warehouse_ddl import SHARDS, shard_of

#: One DynamoDB transaction, of up to 100 items, writes the load and moves its batches; each batch takes two items.
BATCHES_MAX = 45
#: Multiple of its dataset's `load.every` after which a batch with a limited load goes before all others of its shard.
LIMITED_WAIT = 3


@dataclass(frozen=True)
class Load:
    """One warehouse transaction, as the ledger records it."""

    load_id: str
    created_at: datetime
    batches: tuple[tuple[str, int], ...]  # (batch id, attempt)
    datasets: tuple[str, ...]
    statement_id: str = ""
    state: str = "OPEN"  # OPEN | FINISHED | FAILED
    reason: str = ""
    version: int = 0
    unknown: Mapping[str, Any] = field(default_factory=dict)  # what a newer release wrote into the item; saves keep it


def due_loads(
    batches: Iterable[Batch],
    datasets: Mapping[str, Dataset],
    now: datetime,
    under_way: Collection[Load] = (),
    eager: bool = False,
) -> list[list[Batch]]:
    """Groups of published batches that each become a load: at most one per shard, from the shard's oldest batches.

    While no load is `under_way` the warehouse may be asleep: once a dataset is due, every shard is loaded, as waking it
    costs the same for all. While it is awake, only shards with a due dataset are loaded, so that loads stay large. A
    shard with a load under way waits for the end of that load.
    """
    ready = sorted(
        (batch for batch in batches if batch.state is State.PUBLISHED and not _in_backoff(batch, now)),
        key=lambda batch: (_waiting_since(batch), batch.batch_id),
    )
    due = {shard_of(batch.dataset) for batch in ready if eager or is_due(batch, datasets, now)}
    chosen = set(SHARDS) if due and not under_way else due
    free = sorted(chosen - {shard for load in under_way for shard in shards_of(load)})
    by_shard = ([batch for batch in ready if shard_of(batch.dataset) == shard] for shard in free)
    return [_next_load(shard_batches, datasets, now) for shard_batches in by_shard if shard_batches]


def is_due(batch: Batch, datasets: Mapping[str, Dataset], now: datetime) -> bool:
    """Whether a published batch has waited for its dataset's `load.every`, or may be the cause of a failed load."""
    return not _in_backoff(batch, now) and bool(batch.company or _has_waited(batch, datasets, now))


def shards_of(load: Load) -> set[str]:
    """The shards of the load's datasets: exactly one for every load that can be sent."""
    return set(map(shard_of, load.datasets))


def _next_load(ready: list[Batch], datasets: Mapping[str, Dataset], now: datetime) -> list[Batch]:
    # A batch with a limited load may be the cause of a failure, so the unlimited batches go first and do not wait until
    # the cause is found. Where new batches never end, it would never be found, so the limited ones go first in the end.
    unlimited = [batch for batch in ready if not batch.company]
    limited = [batch for batch in ready if batch.company]
    starved = limited and now - _waiting_since(limited[0]) >= LIMITED_WAIT * datasets[limited[0].dataset].load.every
    group: list[Batch] = []
    for batch in limited if starved else unlimited or limited:
        if not group or _fits(group, batch, datasets):
            group.append(batch)
    return group


def with_one_layout(group: Iterable[Batch], declared: Mapping[str, Dataset]) -> list[Batch]:
    """The batches of a group whose files have the same columns as those of the first batch of their dataset.

    `declared` maps a batch id to the declaration with which the batch was run. COPY maps columns by position, so files
    from before and after a column was added need two loads. The other batches stay PUBLISHED for the next load.
    """
    first_layouts: dict[str, dict[str, tuple[Column, ...]]] = {}
    layouts = [(batch, _layout(declared[batch.batch_id])) for batch in group]
    return [batch for batch, layout in layouts if first_layouts.setdefault(batch.dataset, layout) == layout]


def _layout(dataset: Dataset) -> dict[str, tuple[Column, ...]]:
    return {table.physical_name: table.all_columns for table in dataset.tables}


def _in_backoff(batch: Batch, now: datetime) -> bool:
    return batch.not_before is not None and batch.not_before > now


def _waiting_since(batch: Batch) -> datetime:
    """When the warehouse began to lag behind the lake; publishing a later attempt does not start the wait again."""
    return batch.waiting_since or batch.updated_at


def _has_waited(batch: Batch, datasets: Mapping[str, Dataset], now: datetime) -> bool:
    return now - _waiting_since(batch) >= datasets[batch.dataset].load.every


def _fits(group: list[Batch], batch: Batch, datasets: Mapping[str, Dataset]) -> bool:
    batches_max = min(member.company or BATCHES_MAX for member in (*group, batch))
    if len(group) >= min(batches_max, BATCHES_MAX):
        return False
    names = {member.dataset for member in group} | {batch.dataset}
    return statements_needed(table for name in names for table in datasets[name].tables) <= STATEMENTS_MAX
