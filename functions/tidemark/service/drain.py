"""drain: keeps job runs from starting, and stops the Spark application, while a deployment changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from tidemark.adapters.world import World
from tidemark.clock import iso
from tidemark.core.draining import Drain, is_another, lease, may_stop, needs_renewal
from tidemark.core.errors import Conflict, TidemarkError, Transient
from tidemark.core.lifecycle import State
from tidemark.service.transitions import hint, known_datasets, unfinished_batches

LOOK_SECONDS = 5.0
MINUTE = timedelta(minutes=1)
Pause = Callable[[float], None]  # sleeps for so many seconds
Report = Callable[[list[str], timedelta], None]  # is given the unfinished runs, and how long the drain has lasted


@contextmanager
def drained(world: World, deployer: str, patience: timedelta, pause: Pause, report: Report) -> Iterator[Lease]:
    """Drains and stops the application, for the length of a `with` block; then runs start again.

    The block must call `renew` of the lease at least every few minutes. If it is interrupted, CloudFormation goes on
    without it, so the drain is left to expire. Raises `TidemarkError`, with nothing changed, while another deployment
    drains the application, and if the application cannot be stopped within `patience`.
    """
    held = Lease(world, deployer)
    try:
        _stop_application(world, held, patience, pause, report)
    except BaseException:
        held.end()
        raise
    try:
        yield held
    except Exception:
        held.end()
        raise
    held.end()


class Lease:
    """The drain of this process, in the ledger."""

    def __init__(self, world: World, deployer: str) -> None:
        self.world, self.began = world, world.clock.now()
        current = world.ledger.drains.current()
        if current and is_another(current, deployer, self.began):
            raise TidemarkError(
                f"another deployment drains the application, until {iso(current.ends_at)} at the latest"
            )
        self._drain = self._put(lease(deployer, self.began), current)

    def renew(self) -> None:
        """Keeps the drain from expiring; raises `TidemarkError` if another deployment has taken over."""
        now = self.world.clock.now()
        if needs_renewal(self._drain, now):
            self._drain = self._put(lease(self._drain.deployer, now), self._drain)

    def end(self) -> None:
        """Lets runs start, and sends a hint for every batch that waits for one."""
        try:
            self.world.ledger.drains.end(self._drain)
        except Conflict:
            return  # it had expired, and another deployment drains the application
        waiting = unfinished_batches(self.world, known_datasets(self.world))
        hint(self.world, [batch for batch in waiting if batch.state is State.PLANNED])

    def _put(self, drain: Drain, after: Drain | None) -> Drain:
        try:
            self.world.ledger.drains.put(drain, after)
        except Conflict:
            raise TidemarkError("another deployment has begun to drain the application: try again later") from None
        return drain


def _stop_application(world: World, held: Lease, patience: timedelta, pause: Pause, report: Report) -> None:
    while not _is_stopped(world, held, report):
        held.renew()
        if world.clock.now() - held.began > patience:
            raise TidemarkError(
                f"runs were unfinished after {patience // MINUTE} minutes: nothing was changed, try again later"
            )
        pause(LOOK_SECONDS)


def _is_stopped(world: World, held: Lease, report: Report) -> bool:
    runs, now = world.engine.unfinished(), world.clock.now()
    report(runs, now - held.began)
    if not may_stop(held.began, now, len(runs)):
        return False
    try:
        return world.engine.stop_application()
    except Transient:
        return False  # a person's own run, for no batch
