"""Shares the slots for running batches among datasets, and between fresh and background work. Pure.

A batch holds a slot from its first claim to the end of its run. *Fresh* batches have files that have just landed;
*background* batches are nightly, replayed or backfilled. Background work never holds more than half of the slots, so
that a thousand replays do not delay a fresh file. While it holds less than a quarter, it gets the next free slot, so
that a steady stream of files does not delay it forever. Within each kind, the dataset with the fewest batches in slots
goes first, then the request that has waited longest: a dataset with a flood of files lets one with a single file pass.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tidemark.core.lifecycle import Batch, State


@dataclass(frozen=True)
class Request:
    """A batch that could start if it had a slot."""

    dataset: str
    since: datetime  # when it began to wait
    background: bool = False
    batch_id: str = ""  # a batch in FORMING; "" for a batch that does not exist yet


def is_background(batch: Batch) -> bool:
    """Whether the batch counts as background work."""
    return batch.background or bool(batch.period)


def holds_slot(batch: Batch) -> bool:
    """Whether the batch holds a slot: it has a run, is about to have one, or is claiming its segments' files."""
    return batch.state in (State.PLANNED, State.RUNNING) or (batch.state is State.FORMING and bool(batch.segments))


def background_max(total: int) -> int:
    """How many slots background work may hold at once."""
    return max(1, total // 2)


def grant(
    requests: Iterable[Request], in_work: Iterable[Batch], limits: Mapping[str, int], total: int
) -> list[Request]:
    """The requests that get a slot now, in this order.

    `in_work` are the batches that hold a slot, `limits` the most slots per dataset, `total` the number of all slots.
    """
    queues: dict[tuple[str, bool], list[Request]] = defaultdict(list)
    for request in sorted(requests, key=lambda request: (request.since, request.batch_id), reverse=True):
        queues[request.dataset, request.background].append(request)
    holders = list(in_work)
    by_dataset, by_kind = Counter(batch.dataset for batch in holders), Counter(map(is_background, holders))
    granted: list[Request] = []
    while by_kind.total() < total:
        heads = [
            queue[-1]
            for (dataset, background), queue in queues.items()
            if queue
            and by_dataset[dataset] < limits.get(dataset, total)
            and not (background and by_kind[True] >= background_max(total))
        ]
        if not heads:
            break
        chosen = min(
            heads,
            key=lambda head: (_has_its_share(head, by_kind, total), by_dataset[head.dataset], head.since),
        )
        queues[chosen.dataset, chosen.background].pop()
        by_dataset[chosen.dataset] += 1
        by_kind[chosen.background] += 1
        granted.append(chosen)
    return granted


def _has_its_share(request: Request, by_kind: Counter[bool], total: int) -> bool:
    share = total // 4 if request.background else total - background_max(total)
    return by_kind[request.background] >= max(1, share)
