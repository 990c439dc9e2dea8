"""What is raised when the product has broken its word."""

from __future__ import annotations


class Violation(AssertionError):
    """A promise is broken; the text says which, and where."""
