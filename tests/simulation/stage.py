"""The simulated clock, the heap of future events, and threads of which exactly one runs at a time.

A handler runs in a worker thread, so that it can be stopped in the middle of its code, before an AWS call, while others
go on, and become a zombie. Locks pass control from thread to thread, so the machine's scheduler decides nothing.
"""

from __future__ import annotations

import _thread
import heapq
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulation.faults import Killed

START = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)  #: so that a day ends during the story


class Worker:
    """A Lambda execution environment: a thread with its own copies of the handler modules."""

    def __init__(self, pool: Pool, number: int) -> None:
        self.pool, self.number = pool, number
        self.go = _thread.allocate_lock()
        self.go.acquire()
        self.task: Callable[[], None] | None = None
        self.error: BaseException | None = None
        self.parked = self.doomed = False
        self.modules: dict[str, Any] = {}
        threading.Thread(target=self._loop, daemon=True, name=f"worker-{number}").start()

    def _loop(self) -> None:
        while True:
            self.go.acquire()
            assert self.task is not None
            try:
                self.task()
                self.error = None
            except BaseException as error:  # noqa: BLE001 - handed to whoever gave the task
                self.error = error
            self.pool.back.release()

    def park(self) -> None:
        """Called inside the worker: give control back until the worker is resumed."""
        self.parked = True
        self.pool.back.release()
        self.go.acquire()
        self.parked = False
        if self.doomed:
            raise Killed


class Pool:
    """Workers, which are reused for the life of the process."""

    def __init__(self) -> None:
        self.back = _thread.allocate_lock()
        self.back.acquire()
        self.idle: list[Worker] = []
        self.current: Worker | None = None
        self.made = 0

    def start(self, task: Callable[[Worker], None]) -> Worker:
        """Run a task until it ends or parks."""
        if not self.idle:
            self.made += 1
            self.idle.append(Worker(self, self.made))
        worker = self.idle.pop()
        worker.task = lambda: task(worker)
        worker.doomed = False
        self.resume(worker)
        return worker

    def resume(self, worker: Worker) -> None:
        """Give control to a worker until it ends or parks."""
        before, self.current = self.current, worker
        worker.go.release()
        self.back.acquire()
        self.current = before
        if not worker.parked:
            self.idle.append(worker)


POOL = Pool()


class Stage:
    """Simulated time."""

    def __init__(self) -> None:
        self.time = self.epoch = START
        self.heap: list[tuple[datetime, int, str, Callable[[], None]]] = []
        self.count = 0
        self.waiting = 0  # events on the heap that do not belong to a schedule

    def now(self) -> datetime:
        """The current time, in UTC."""
        return self.time

    def after(self, seconds: float, what: str, act: Callable[[], None], recurring: bool = False) -> None:
        """Put an event on the heap; events at the same time happen in the order in which they were put."""
        self.count += 1
        if recurring:
            heapq.heappush(self.heap, (self.time + timedelta(seconds=seconds), self.count, what, act))
            return
        self.waiting += 1

        def once() -> None:
            self.waiting -= 1
            act()

        heapq.heappush(self.heap, (self.time + timedelta(seconds=seconds), self.count, what, once))

    def step(self) -> str:
        """Run the next event, and return its name."""
        when, _, what, act = heapq.heappop(self.heap)
        self.time = max(self.time, when)
        act()
        return what
