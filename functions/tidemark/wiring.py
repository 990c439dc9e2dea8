"""The composition root: environment in, the world out."""

from __future__ import annotations

from functools import cache

from tidemark.adapters.world import World
from tidemark.clock import SystemClock
from tidemark.settings import Settings


@cache
def world() -> World:
    """The world of this process's environment, built once."""
    return World(Settings.read(), SystemClock())
