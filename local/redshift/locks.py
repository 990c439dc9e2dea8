"""Redshift's table locks, which decide which transactions may run concurrently.

A transaction acquires all its locks at once: the tables of a leading LOCK statement, else all tables. A change of user
before it does not count.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from local.redshift.plans import Administer, Nothing, Plan
from local.redshift.tables import Table

EVERYTHING: Final[frozenset[Table]] = frozenset()


@dataclass(frozen=True, eq=False)
class LockHolder:
    """A transaction that holds locks on its tables, or waits for them."""

    tables: frozenset[Table]

    def excludes(self, other: "LockHolder") -> bool:
        return EVERYTHING in (self.tables, other.tables) or not self.tables.isdisjoint(other.tables)


class Locks:
    """Grants locks in the order of the requests, so that no transaction waits for a later one."""

    def __init__(self) -> None:
        self._queue: list[LockHolder] = []
        self._ended = threading.Condition()

    @contextmanager
    def held(self, tables: frozenset[Table] = EVERYTHING) -> Iterator[None]:
        """Wait for the locks on the tables, and hold them for the duration of the block."""
        mine = LockHolder(tables)
        with self._ended:
            self._queue.append(mine)
            self._ended.wait_for(lambda: not any(map(mine.excludes, self._queue[: self._queue.index(mine)])))
        try:
            yield
        finally:
            with self._ended:
                self._queue.remove(mine)
                self._ended.notify_all()


def locked_first(plans: Sequence[Plan]) -> frozenset[Table]:
    """The tables that a leading LOCK statement names, else EVERYTHING, as its writes are not known in advance."""
    first = next((plan for plan in plans if not isinstance(plan, Administer)), plans[0])
    return frozenset(first.tables) if isinstance(first, Nothing) else EVERYTHING
