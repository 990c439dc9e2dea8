"""Replaces parts of the product for a while, to make mutants of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

Patch = tuple[Any, str, Any]  # owner, name, what it is instead


@contextmanager
def applied(patches: list[Patch]) -> Iterator[None]:
    """Applies the patches while the block runs."""
    with ExitStack() as stack:
        for owner, name, value in patches:
            stack.enter_context(mock.patch.object(owner, name, value))
        yield
