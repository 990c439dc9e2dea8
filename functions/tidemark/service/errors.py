"""Runs every step, collects exceptions, and raises them together at the end."""

from __future__ import annotations

from collections.abc import Callable


class Efforts:
    """Several steps of which none waits for another's luck: errors are kept, and raised together at the end."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def make(self, step: Callable[..., int | None], *arguments: object) -> int:
        """What the step returns; 0 when it raised."""
        try:
            return step(*arguments) or 0
        except Exception as error:  # noqa: BLE001 - whatever it was, the others' turn comes first
            self.errors.append(error)
            return 0

    def finish(self) -> None:
        """Raise what was raised; one error as itself."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise ExceptionGroup(f"{len(self.errors)} steps failed", self.errors)
