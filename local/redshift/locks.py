"""Which transactions may run at once: Redshift's table locks, where a transaction begins by saying what it locks."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from local.redshift.plans import Nothing, Plan
from local.redshift.tables import Table

EVERYTHING: Final[frozenset[Table]] = frozenset()


@dataclass(frozen=True, eq=False)
class LockHolder:
    """A transaction that holds its tables, or waits for them."""

    tables: frozenset[Table]

    def excludes(self, other: "LockHolder") -> bool:
        return EVERYTHING in (self.tables, other.tables) or not self.tables.isdisjoint(other.tables)


class Locks:
    """Turns are given in the order in which they are asked for, so none waits for those that come after it."""

    def __init__(self) -> None:
        self._turns: list[LockHolder] = []
        self._ended = threading.Condition()

    @contextmanager
    def held(self, tables: frozenset[Table] = EVERYTHING) -> Iterator[None]:
        """Wait for the tables, and hold them meanwhile."""
        mine = LockHolder(tables)
        with self._ended:
            self._turns.append(mine)
            self._ended.wait_for(lambda: not any(map(mine.excludes, self._turns[: self._turns.index(mine)])))
        try:
            yield
        finally:
            with self._ended:
                self._turns.remove(mine)
                self._ended.notify_all()


def locked_first(plans: Sequence[Plan]) -> frozenset[Table]:
    """The tables of a transaction's LOCK, if it is the first statement; else everything: who knows what it writes?"""
    first = plans[0]
    return frozenset(first.tables) if isinstance(first, Nothing) else EVERYTHING
