"""Every error that Tidemark raises on purpose, sorted by what to do about it.

TidemarkError
├── DeclarationError   a dataset's declaration is wrong: a person edits the file
│   └── DeclarationErrors   in several places
├── IllegalMove        the lifecycle has no such move: the event is stale, nothing changes
├── Conflict           somebody else wrote the item first: read again and decide anew
├── Transient          the world said "later": the same step is repeated
│   └── Unsealed           the ledger is not whole: a person runs `tidemark recover`
└── Terminal           repeating won't help: the batch is set aside with this reason
    └── Unbalanced     row counts that must agree do not (docs/architecture.md#invariants, no. 3)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional


class TidemarkError(Exception):
    """Base of all errors raised on purpose; its text is one line fit for a person."""


class DeclarationError(TidemarkError):
    """A declaration says what cannot be; `where` is the path of keys inside it."""

    def __init__(
        self, message: str, where: tuple[object, ...] = (), file: str = "", line: Optional[int] = None
    ) -> None:
        self.message, self.where, self.file, self.line = message, where, file, line
        place = f"{file}:{line}" if line else file
        keys = ".".join(str(key) for key in where)
        super().__init__(": ".join(part for part in (place, keys, message) if part))

    def at(self, file: str, line: Optional[int]) -> DeclarationError:
        """The same error, located in a file."""
        return DeclarationError(self.message, self.where, file, line)

    @property
    def all(self) -> tuple[DeclarationError, ...]:
        """Every single one of it."""
        return (self,)


class DeclarationErrors(DeclarationError):
    """Several at once; the text is that of the first, and says how many more there are."""

    def __init__(self, errors: Iterable[DeclarationError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(f"{first.message} (and {len(self.errors) - 1} more)", first.where, first.file, first.line)

    @property
    def all(self) -> tuple[DeclarationError, ...]:
        """In the order in which they were found."""
        return self.errors


def raise_all(errors: Sequence[DeclarationError]) -> None:
    """Raise the error, or all of them as one; nothing where there is none."""
    if errors:
        raise errors[0] if len(errors) == 1 else DeclarationErrors(errors)


class IllegalMove(TidemarkError):
    """The lifecycle table has no row for this state and event."""


class Conflict(TidemarkError):
    """A conditional write lost its race; what was read is out of date."""


class Transient(TidemarkError):
    """Try the same step again later."""


class Unsealed(Transient):
    """The ledger was set back or lost; every step waits until it is whole."""


class Terminal(TidemarkError):
    """Trying again will not help."""


class Unbalanced(Terminal):
    """Counts that must be equal are not; the message says which, expected and found."""
