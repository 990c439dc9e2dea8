"""The maximum capacity of an application: which workers get their resources, and what AWS says when one does not."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.emr_serverless.usage import Worker

LOOK_AGAIN_SECONDS = 0.05
ENDLESS = math.inf


@dataclass(frozen=True)
class Resources:
    """vCPUs, GB of memory and GB of disk."""

    cpu: float = 0.0
    memory: float = 0.0
    disk: float = 0.0

    def plus(self, other: Resources) -> Resources:
        return Resources(self.cpu + other.cpu, self.memory + other.memory, self.disk + other.disk)

    def beyond(self, limit: Resources) -> list[str]:
        """The resources that exceed the limit, as AWS writes them: `cpu: 16 vCPU`."""
        pairs = [
            (self.cpu > limit.cpu, f"cpu: {limit.cpu:g} vCPU"),
            (self.memory > limit.memory, f"memory: {limit.memory:g} GB"),
            (self.disk > limit.disk, f"disk: {limit.disk:g} GB"),
        ]
        return [text for exceeds, text in pairs if exceeds]


def maximum(properties: Mapping[str, Any]) -> Resources:
    """An application's limits; it has none without maximumCapacity."""
    limits = properties.get("maximumCapacity", {})
    return Resources(*(_amount(limits.get(name)) for name in ("cpu", "memory", "disk")))


def _amount(text: str | None) -> float:
    """`16 vCPU`, `64GB` or `64 gb` as a number."""
    return float(text.lower().removesuffix("vcpu").removesuffix("gb")) if text else ENDLESS


def needed(worker: Worker) -> Resources:
    """What a worker takes of the capacity; memory counts in whole GB."""
    return Resources(worker.cores, math.ceil(worker.memory), worker.disk)


def refusal(exceeded: Sequence[str]) -> str:
    """The driver's log line for a worker that gets no resources."""
    return (
        "ApplicationMaxCapacityExceededException: Worker could not be allocated as the application has exceeded"
        f" maximumCapacity settings: [{', '.join(exceeded)}]"
    )


@dataclass
class Capacity:
    """What the runs of one application hold; every method is thread-safe."""

    lock: threading.Condition = field(default_factory=threading.Condition)
    held: dict[str, Resources] = field(default_factory=dict)  #: by run

    def take(self, run_id: str, worker: Worker, limit: Resources) -> list[str]:
        """Gives the worker to the run if the limit allows it, else returns the resources that would exceed it."""
        with self.lock:
            before = self.held.get(run_id, Resources())
            total = needed(worker)
            for other in self.held.values():
                total = total.plus(other)
            exceeded = total.beyond(limit)
            if not exceeded:
                self.held[run_id] = before.plus(needed(worker))
            return exceeded

    def release(self, run_id: str) -> None:
        """Takes all workers from the run, and wakes those that wait for them."""
        with self.lock:
            self.held.pop(run_id, None)
            self.lock.notify_all()

    def wait(self) -> None:
        """Waits until a run has released its workers, or a moment, after which the caller looks whether to go on."""
        with self.lock:
            self.lock.wait(LOOK_AGAIN_SECONDS)
