"""Every error that Tidemark raises on purpose, grouped by the response to it.

TidemarkError
├── DeclarationError   a dataset's declaration is invalid: a person edits the file
│   └── DeclarationErrors   in several places
├── IllegalMove        the lifecycle has no such transition: the event is stale, nothing changes
├── Conflict           another writer was first: read again and decide anew
├── Transient          a passing fault: the same step is repeated later
│   ├── Unsealed           the ledger is incomplete: a person runs `tidemark recover`
│   └── NewerRelease       a newer release wrote the item or document: it is left alone until that release is back
└── Terminal           repeating won't help: the batch is quarantined with this reason
    ├── Unprepared         the warehouse's tables cannot be made as declared: a person acts, and no batch is to blame
    └── Unbalanced     row counts that must agree do not (docs/architecture.md#invariants, no. 3)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional


class TidemarkError(Exception):
    """Base of all errors raised on purpose; its text is one line that can be shown to a person."""


class DeclarationError(TidemarkError):
    """A declaration is invalid; `where` is the path of keys to the place inside it."""

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
        """The single errors that this one stands for: itself."""
        return (self,)


class DeclarationErrors(DeclarationError):
    """Several errors at once; the text is that of the first, and says how many more there are."""

    def __init__(self, errors: Iterable[DeclarationError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(f"{first.message} (and {len(self.errors) - 1} more)", first.where, first.file, first.line)

    @property
    def all(self) -> tuple[DeclarationError, ...]:
        """The single errors, in the order in which they were found."""
        return self.errors


def raise_all(errors: Sequence[DeclarationError]) -> None:
    """Raise the error, or all of them as one; return if there is none."""
    if errors:
        raise errors[0] if len(errors) == 1 else DeclarationErrors(errors)


class IllegalMove(TidemarkError):
    """The transition table has no entry for this state and event."""


class Conflict(TidemarkError):
    """A conditional write failed because the item has changed since it was read."""


class Transient(TidemarkError):
    """The same step may succeed later."""


class Unsealed(Transient):
    """The ledger was restored from a backup or lost; every step waits until it is recovered."""


class NewerRelease(Transient):
    """An item or a document was written by a newer release, and this one must not act on it."""


class Terminal(TidemarkError):
    """Repeating the step will not help."""


class Unprepared(Terminal):
    """The warehouse refused to create or change a table, or the table contradicts its declaration."""


class Unbalanced(Terminal):
    """Counts that must be equal differ; the message names them, with the expected and the actual value."""
