"""Small models of other tools' algorithms, fed with the same notifications that Tidemark gets from a seed.

Each models only the algorithm, from the tool's source or documentation, not the tool itself:

- `StaleManifest`: aws-lambda-redshift-loader writes the manifest from a list that it read before it locked the batch.
- `DeleteFirst`: SDLF deletes queue messages before their work is done.
- `LatestTime`: the cursor of Hudi and dlt is the latest modification time seen, in seconds.
- `CheckThenAct`: loads a file if it is not recorded as loaded, then records it; a common deduplication in Lambda.
- `CopyAgain`: COPY appends, and is sent again when its outcome is unknown.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from tests.simulation.faults import Rates
from tests.simulation.s3 import Landed
from tests.simulation.scenario import tell_story
from tests.simulation.simulation import Simulation

Steps = Generator[float, None, None]  # yields the seconds until its next step
Delivery = tuple[float, Landed]  # seconds since the start
#: Compresses half an hour of a seed's landings into half a minute: the races need dense traffic.
HURRY = 60.0
BATCH = 10


@dataclass
class Peer:
    """Base of all models: counts how often each file was loaded."""

    rng: random.Random
    rates: Rates = field(default_factory=Rates)
    loaded: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    noted: set[tuple[str, str, str]] = field(default_factory=set)

    def pause(self) -> float:
        """The duration of a service's reply."""
        return self.rng.uniform(0.003, 0.008) if self.rng.random() > 0.02 else self.rng.uniform(0.05, 0.3)

    def copy(self, files: Sequence[Landed]) -> None:
        """Load files into the table."""
        self.loaded.update(landed.identity for landed in files)

    def receive(self, landed: Landed) -> Steps:
        """Handle one notification."""
        raise NotImplementedError

    def finish(self) -> None:
        """After the last notification: what the tool's timer would still do."""


@dataclass
class StaleManifest(Peer):
    open: list[Landed] = field(default_factory=list)

    def receive(self, landed: Landed) -> Steps:
        yield self.pause()
        if landed.identity in self.noted:
            return
        self.noted.add(landed.identity)
        batch = self.open
        batch.append(landed)
        yield self.pause()
        entries = list(batch)  # GetItem of the whole batch …
        if len(entries) < BATCH:
            return
        yield self.pause()
        if self.open is not batch:  # … the conditional lock, open → locked …
            return
        self.open = []
        yield self.pause()
        self.copy(entries)  # … and the manifest is made of what was read before it

    def finish(self) -> None:
        self.copy(self.open)


@dataclass
class DeleteFirst(Peer):
    def receive(self, landed: Landed) -> Steps:
        if landed.identity in self.noted:
            return
        self.noted.add(landed.identity)  # the message is deleted
        yield self.pause()
        yield self.pause()
        self.copy([landed])


@dataclass
class LatestTime(Peer):
    listed: list[Landed] = field(default_factory=list)
    cursor: float = -1.0

    def receive(self, landed: Landed) -> Steps:
        self.listed.append(landed)
        yield self.pause()
        if len(self.listed) % BATCH == 0:
            self._load()

    def _load(self) -> None:
        found = {one.identity: one for one in self.listed if self.second(one) > self.cursor}
        self.copy(list(found.values()))
        self.cursor = max([self.cursor, *(self.second(one) for one in found.values())])

    @staticmethod
    def second(landed: Landed) -> float:
        """The object's modification time in whole seconds, compressed like the landings."""
        return float(int(landed.at.timestamp() / HURRY))

    def finish(self) -> None:
        self._load()


@dataclass
class CheckThenAct(Peer):
    def receive(self, landed: Landed) -> Steps:
        yield self.pause()
        if landed.identity in self.noted:
            return
        yield self.pause()
        self.copy([landed])
        yield self.pause()
        self.noted.add(landed.identity)


@dataclass
class CopyAgain(Peer):
    def receive(self, landed: Landed) -> Steps:
        yield self.pause()
        if landed.identity in self.noted:
            return
        self.noted.add(landed.identity)
        self.copy([landed])
        while self.rng.random() < self.rates.lost_reply:
            yield self.pause()
            self.copy([landed])


PEERS: dict[str, type[Peer]] = {
    "manifest from a stale read": StaleManifest, "message deleted before the work": DeleteFirst,
    "cursor of modification times": LatestTime, "check, then act": CheckThenAct, "COPY sent again": CopyAgain,
}  # fmt: skip


def notices(seed: int) -> tuple[list[Landed], list[Delivery]]:
    """A seed's landings, and their notifications as they reach Tidemark's queue."""
    simulation = Simulation(seed, Rates(landing_dropped=0.0))
    simulation.polling = True  # no poller takes them from the queue
    tell_story(simulation)
    found: list[Delivery] = []
    while simulation.stage.heap:
        simulation.stage.step()
        moment = (simulation.stage.time - simulation.stage.epoch).total_seconds()
        found += [(moment, message.landed) for message in simulation.messages[len(found) :]]
    return simulation.landed, found


def play(kind: type[Peer], seed: int) -> tuple[int, int, int]:
    """(files, lost, doubled) of a model on a seed's notifications, with the same chance of a crash at each step."""
    landed, deliveries = notices(seed)
    rng = random.Random(seed)
    peer = kind(rng)
    heap: list[tuple[float, int, Landed, Steps]] = []
    for moment, one in deliveries:
        heapq.heappush(heap, (moment / HURRY, len(heap), one, peer.receive(one)))
        if rng.random() < 0.05:  # S3's own duplicates come close together
            heapq.heappush(heap, (moment / HURRY + rng.uniform(0, 0.02), len(heap), one, peer.receive(one)))
    count = len(heap)
    while heap:
        moment, _, one, steps = heapq.heappop(heap)
        count += 1
        if rng.random() < peer.rates.kill_before:
            heapq.heappush(heap, (moment + 1, count, one, peer.receive(one)))  # Lambda tries again
            continue
        delay = next(steps, None)
        if delay is not None:
            heapq.heappush(heap, (moment + delay, count, one, steps))
    peer.finish()
    lost = sum(not peer.loaded[one.identity] for one in landed)
    return len(landed), lost, sum(times - 1 for times in peer.loaded.values() if times > 1)
