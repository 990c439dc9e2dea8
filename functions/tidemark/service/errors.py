"""Runs every step, collects exceptions, and raises them together at the end."""

from __future__ import annotations

from collections.abc import Callable


class Efforts:
    """Independent steps: the error of one does not prevent the others, and `finish` raises all errors."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def make(self, step: Callable[..., int | None], *arguments: object) -> int:
        """Runs a step and returns its result; 0 if it returns None or raises."""
        try:
            return step(*arguments) or 0
        except Exception as error:  # noqa: BLE001 - no error may prevent the remaining steps
            self.errors.append(error)
            return 0

    def finish(self) -> None:
        """Raises the collected errors: a single one as it is, several as an `ExceptionGroup`."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise ExceptionGroup(f"{len(self.errors)} steps failed", self.errors)
