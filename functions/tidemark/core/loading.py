"""Which published batches are loaded together, and when the warehouse is woken for them. Pure.

Redshift Serverless bills at least 60 s per wake-up (docs/aws-facts.md#redshift-serverless-billing). So the warehouse is
woken when some dataset has waited as long as its policy says, and each wake-up loads all that is published.

A load's datasets are all of one shard (`warehouse_ddl.SHARDS`). The loads of a shard go one after the other, and those
of different shards side by side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tidemark.core.dataset import Column, Dataset
from tidemark.core.lifecycle import Batch, State
from tidemark.core.load_limits import STATEMENTS_MAX, statements_needed
from tidemark.core.warehouse_ddl import SHARDS, shard_of

#: One DynamoDB transaction writes the load and moves its batches, each with its attempt: 100 items.
BATCHES_MAX = 45
#: After how many times its dataset's `load.every` a batch of limited company goes before all others of its shard.
LIMITED_WAIT = 3


@dataclass(frozen=True)
class Load:
    """One warehouse transaction, as the ledger knows it."""

    load_id: str
    created_at: datetime
    batches: tuple[tuple[str, int], ...]  # (batch id, attempt)
    datasets: tuple[str, ...]
    statement_id: str = ""
    state: str = "OPEN"  # OPEN | FINISHED | FAILED
    reason: str = ""
    version: int = 0


def due_loads(
    batches: Iterable[Batch],
    datasets: Mapping[str, Dataset],
    now: datetime,
    under_way: Collection[Load] = (),
    eager: bool = False,
) -> list[list[Batch]]:
    """Groups of published batches, each to be one load: at most one of each shard, and its oldest batches.

    A warehouse that sleeps is woken once some dataset is due, and then for every shard. While loads are `under_way` it
    is awake: then each shard goes by its own datasets, so that loads stay large, and one with a load waits for its end.
    """
    ready = sorted(
        (batch for batch in batches if batch.state is State.PUBLISHED and not _held_back(batch, now)),
        key=lambda batch: (_waits_since(batch), batch.batch_id),
    )
    due = {shard_of(batch.dataset) for batch in ready if eager or is_due(batch, datasets, now)}
    woken = set(SHARDS) if due and not under_way else due
    begun = sorted(woken - {shard for load in under_way for shard in shards_of(load)})
    of_shards = ([batch for batch in ready if shard_of(batch.dataset) == shard] for shard in begun)
    return [_next_load(members, datasets, now) for members in of_shards if members]


def is_due(batch: Batch, datasets: Mapping[str, Dataset], now: datetime) -> bool:
    """Whether a published batch has waited as long as it may, or is one of those that a failure may be to blame on."""
    return not _held_back(batch, now) and bool(batch.company or _has_waited(batch, datasets, now))


def shards_of(load: Load) -> set[str]:
    """The shards of the load's datasets: one, for every load that can be sent."""
    return set(map(shard_of, load.datasets))


def _next_load(ready: list[Batch], datasets: Mapping[str, Dataset], now: datetime) -> list[Batch]:
    # Whose company is limited may be to blame for a failure: the others do not wait for it to be found out. But where
    # others never end, it would never be found out, and those that are not to blame would wait for ever.
    free = [batch for batch in ready if not batch.company]
    limited = [batch for batch in ready if batch.company]
    starved = limited and now - _waits_since(limited[0]) >= LIMITED_WAIT * datasets[limited[0].dataset].load.every
    group: list[Batch] = []
    for batch in limited if starved else free or limited:
        if not group or _fits(group, batch, datasets):
            group.append(batch)
    return group


def of_one_layout(group: Iterable[Batch], declared: Mapping[str, Dataset]) -> list[Batch]:
    """The batches of a group whose files have the same columns as those of their dataset's first.

    `declared` has the declaration that each batch was made by, by batch id. COPY maps by position, so files of before
    and after a column was added take two loads; who is left out is still published, and comes with the next wake-up.
    """
    first: dict[str, dict[str, tuple[Column, ...]]] = {}
    layouts = [(batch, _layout(declared[batch.batch_id])) for batch in group]
    return [batch for batch, layout in layouts if first.setdefault(batch.dataset, layout) == layout]


def _layout(dataset: Dataset) -> dict[str, tuple[Column, ...]]:
    return {table.physical_name: table.all_columns for table in dataset.tables}


def _held_back(batch: Batch, now: datetime) -> bool:
    return batch.not_before is not None and batch.not_before > now


def _waits_since(batch: Batch) -> datetime:
    """When the warehouse began to lack what the lake shows; a later attempt's publication does not put it off."""
    return batch.waiting_since or batch.updated_at


def _has_waited(batch: Batch, datasets: Mapping[str, Dataset], now: datetime) -> bool:
    return now - _waits_since(batch) >= datasets[batch.dataset].load.every


def _fits(group: list[Batch], batch: Batch, datasets: Mapping[str, Dataset]) -> bool:
    most = min(member.company or BATCHES_MAX for member in (*group, batch))
    if len(group) >= min(most, BATCHES_MAX):
        return False
    names = {member.dataset for member in group} | {batch.dataset}
    return statements_needed(table for name in names for table in datasets[name].tables) <= STATEMENTS_MAX
