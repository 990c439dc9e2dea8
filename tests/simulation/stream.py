"""The ledger's stream as Lambda reads it: the records of a shard in their order, and different shards side by side.

A batch of records that fails is halved until the record that fails stands alone. That one is tried again after longer
and longer pauses, and holds up its own shard only. After `RETRIES`, or when it is too old, it is given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from tests.simulation.stage import Stage

SHARDS = 4
BATCH_SIZE, RETRIES, AGE_SECONDS = 25, 5, 3600  #: as in template.yaml
LOOKS = (0.2, 5.0)  #: seconds from a write to the invocation, at least and at most
PAUSE_SECONDS_MAX = 60.0

Ended = Callable[[BaseException | None, Any], None]


@dataclass(frozen=True)
class Record:
    """One write to the ledger."""

    number: int
    image: Mapping[str, Any]  # the item as written
    at: float  # seconds since the start

    @property
    def event(self) -> dict[str, Any]:
        """As a function gets it."""
        written = {"NewImage": self.image, "SequenceNumber": str(self.number)}
        return {"eventID": str(self.number), "dynamodb": written}


@dataclass(frozen=True)
class Part:
    """Records that are handed over together."""

    records: tuple[Record, ...]
    retries: int = 0


class Reader:
    """The event source mapping of one function. `invoke` runs it, and calls back with its error or its answer."""

    def __init__(
        self, stage: Stage, wait: Callable[[float, float], float], invoke: Callable[[dict[str, Any], Ended], None]
    ) -> None:
        self.stage, self.wait, self.invoke = stage, wait, invoke
        self.shards: list[deque[Record]] = [deque() for _ in range(SHARDS)]
        self.busy: set[int] = set()
        self.written = 0
        self.given_up: list[Record] = []

    def put(self, pk: str, image: Mapping[str, Any], copies: int = 1) -> None:
        """An item is written, and its record comes once or more often."""
        self.written += 1
        shard = shard_of(pk)
        self.shards[shard] += [Record(self.written, image, self._now())] * copies
        self._look(shard)

    def _now(self) -> float:
        return (self.stage.time - self.stage.epoch).total_seconds()

    def _look(self, shard: int) -> None:
        if self.shards[shard] and shard not in self.busy:
            self.busy.add(shard)
            self.stage.after(self.wait(*LOOKS), "stream", lambda: self._hand_over(shard, [self._batch(shard)]))

    def _batch(self, shard: int) -> Part:
        waiting = self.shards[shard]
        return Part(tuple(waiting.popleft() for _ in range(min(BATCH_SIZE, len(waiting)))))

    def _hand_over(self, shard: int, parts: list[Part]) -> None:
        """The first part. The others, and what has come into the shard since, wait until it is through."""
        if not parts:
            self.busy.discard(shard)
            self._look(shard)
            return
        part, *others = parts
        young = tuple(record for record in part.records if self._now() - record.at <= AGE_SECONDS)
        self.given_up += [record for record in part.records if record not in young]
        if not young:
            self._hand_over(shard, others)
            return
        part = Part(young, part.retries)

        def ended(error: BaseException | None, answer: Any) -> None:
            left = left_over(part, first_failed(part, error, answer))
            if left is None:
                self.given_up += part.records
            pause = min(2.0**part.retries, PAUSE_SECONDS_MAX) if left else 0.0
            self.stage.after(pause, "stream again", lambda: self._hand_over(shard, [*(left or ()), *others]))

        self.invoke({"Records": [record.event for record in part.records]}, ended)


def shard_of(pk: str) -> int:
    """All records of an item are in one shard."""
    return crc32(pk.encode()) % SHARDS


def first_failed(part: Part, error: BaseException | None, answer: Any) -> int | None:
    """Where in the part the first record is that failed; None where all are through."""
    if error is not None:
        return 0
    names = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    return next((place for place, record in enumerate(part.records) if str(record.number) in names), None)


def left_over(part: Part, failed: int | None) -> list[Part] | None:
    """What is still to be handed over, in order; None for a record that is given up."""
    if failed is None:
        return []
    if failed:
        return [Part(part.records[failed:])]
    if len(part.records) > 1:
        middle = len(part.records) // 2
        return [Part(part.records[:middle], part.retries), Part(part.records[middle:], part.retries)]
    return [Part(part.records, part.retries + 1)] if part.retries < RETRIES else None
