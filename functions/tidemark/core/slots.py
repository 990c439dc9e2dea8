"""Who may start when not all can: the slots for batches in work, shared among datasets, fresh files and old ones. Pure.

A slot is held from the first claim to the end of the run. Two kinds of work share them: *fresh* batches, of files that
have just landed, and *background* ones, which are nightly, replayed or backfilled. Background work never takes more
than half of the slots, so that a thousand replays do not make a fresh file wait. While it has less than a quarter, the
next slot that becomes free is its own, so that files without end do not keep it waiting. Within a kind the dataset with
the fewest batches in work goes first, then the oldest: a dataset that is flooded waits behind one with a single file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tidemark.core.lifecycle import Batch, State


@dataclass(frozen=True)
class Request:
    """Work that could start, were there a slot."""

    dataset: str
    since: datetime  # since when it waits
    background: bool = False
    batch_id: str = ""  # a batch that is FORMING; "" for one that is not begun yet


def is_background(batch: Batch) -> bool:
    """Whether the batch's slot is one of the background's."""
    return batch.background or bool(batch.period)


def holds_slot(batch: Batch) -> bool:
    """Whether the batch is in work: it has a run, is about to have one, or claims the segments that it began with."""
    return batch.state in (State.PLANNED, State.RUNNING) or (batch.state is State.FORMING and bool(batch.segments))


def background_max(total: int) -> int:
    """How many slots background work may hold at once."""
    return max(1, total // 2)


def grant(
    requests: Iterable[Request], in_work: Iterable[Batch], limits: Mapping[str, int], total: int
) -> list[Request]:
    """The requests that get a slot now, in the order in which they get it.

    `in_work` are the batches that hold one, `limits` how many a dataset may hold, `total` all of them together.
    """
    queues: dict[tuple[str, bool], list[Request]] = defaultdict(list)
    for request in sorted(requests, key=lambda one: (one.since, one.batch_id), reverse=True):
        queues[request.dataset, request.background].append(request)
    held = list(in_work)
    by_dataset, by_kind = Counter(batch.dataset for batch in held), Counter(map(is_background, held))
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
        chosen = min(heads, key=lambda one: (_has_its_share(one, by_kind, total), by_dataset[one.dataset], one.since))
        queues[chosen.dataset, chosen.background].pop()
        by_dataset[chosen.dataset] += 1
        by_kind[chosen.background] += 1
        granted.append(chosen)
    return granted


def _has_its_share(request: Request, by_kind: Counter[bool], total: int) -> bool:
    share = total // 4 if request.background else total - background_max(total)
    return by_kind[request.background] >= max(1, share)
