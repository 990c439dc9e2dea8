"""The commands see the world of the nightly jobs."""

from tests.service.conftest import world

__all__ = ["world"]
