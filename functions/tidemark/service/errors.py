"""Runs every step, collects exceptions, and raises them together at the end; leaves a newer release's work alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tidemark.core.errors import NewerRelease
from tidemark.observability import count, logger


@contextmanager
def newer_left_alone() -> Iterator[None]:
    """Ends a step quietly that meets an item or document of a newer release; counts and logs it.

    Nothing has been misread, and that release takes the step once it is deployed again. Also a decorator: the function
    then returns None.
    """
    try:
        yield
    except NewerRelease as newer:
        count("NewerSkipped")
        logger.warning("left to the newer release", reason=str(newer))


class Efforts:
    """Independent steps: the error of one does not prevent the others, and `finish` raises all errors.

    A step that meets an item or document of a newer release is skipped without an error.
    """

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def make(self, step: Callable[..., int | None], *arguments: object) -> int:
        """Runs a step and returns its result; 0 if it returns None, raises or is skipped."""
        try:
            with newer_left_alone():
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
