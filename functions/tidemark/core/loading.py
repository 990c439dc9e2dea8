"""Which published batches are loaded together, and when the warehouse is woken for them. Pure.

Redshift Serverless bills at least 60 s per wake-up (aws-facts §6), so a wake-up takes everything along: it comes
when some dataset has waited as long as its policy says, and then brings in all that is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tidemark.core.dataset import Column, Dataset
from tidemark.core.lifecycle import Batch, State
from tidemark.core.warehouse_sql import STATEMENTS_MAX, statements_needed

#: One DynamoDB transaction writes the load and moves its batches, each with its attempt: 100 items.
BATCHES_MAX = 45
LOADS_AT_ONCE = 4


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
    batches: Iterable[Batch], datasets: Mapping[str, Dataset], now: datetime, under_way: int = 0, eager: bool = False
) -> list[list[Batch]]:
    """Groups of published batches, each to be one load: all of them, if any dataset is due; oldest first.

    With the loads `under_way`, no more than LOADS_AT_ONCE: they wait for one another's lock, and larger loads are
    better than more of them.
    """
    ready = sorted(
        (batch for batch in batches if batch.state is State.PUBLISHED and not _held_back(batch, now)),
        key=lambda batch: (_waits_since(batch), batch.batch_id),
    )
    if not (eager or any(batch.company or _has_waited(batch, datasets, now) for batch in ready)):
        return []
    # Whose company is limited may be to blame for a failure: the others do not wait for it to be found out.
    groups = _packed([one for one in ready if not one.company], datasets)
    groups += _packed([one for one in ready if one.company], datasets)
    return groups[: max(0, LOADS_AT_ONCE - under_way)]


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


def _packed(ready: list[Batch], datasets: Mapping[str, Dataset]) -> list[list[Batch]]:
    groups: list[list[Batch]] = []
    for batch in ready:
        group = next((group for group in groups if _fits(group, batch, datasets)), None)
        if group is None:
            groups.append([batch])
        else:
            group.append(batch)
    return groups


def _fits(group: list[Batch], batch: Batch, datasets: Mapping[str, Dataset]) -> bool:
    names = {member.dataset for member in group} | {batch.dataset}
    tables = [table for name in names for table in datasets[name].tables]
    most = min(member.company or BATCHES_MAX for member in (*group, batch))
    return len(group) < min(most, BATCHES_MAX) and statements_needed(tables) <= STATEMENTS_MAX
