"""The commands see the world of the nightly jobs."""

from tests.service.conftest import endpoint, world

__all__ = ["endpoint", "world"]
