"""The error for a broken promise."""

from __future__ import annotations


class Violation(AssertionError):
    """A promise is broken; the text says which, and where."""
