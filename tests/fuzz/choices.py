"""Decisions drawn from bytes, so that whatever makes bytes makes cases: the fuzzer, hypothesis, a file of a finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Each decision takes a byte or two; where none is left it is the first of what may be chosen."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, below: int) -> int:
        """A whole number from 0."""
        count = 1 if below <= 256 else 2 if below <= 65_536 else 4
        taken = self._data[self._at : self._at + count]
        self._at += count
        return int.from_bytes(taken, "big") % below if below else 0

    def one_of(self, options: Sequence[T]) -> T:
        return options[self.number(len(options))]

    def rarely(self) -> bool:
        return self.number(4) == 3

    def rest(self) -> bytes:
        """The bytes that no decision has taken."""
        taken, self._at = self._data[self._at :], len(self._data)
        return taken
