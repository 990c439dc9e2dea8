"""The composition root: builds the world from the environment."""

from __future__ import annotations

from functools import cache

from tidemark.adapters.world import World
from tidemark.clock import SystemClock
from tidemark.settings import Settings


@cache
def world() -> World:
    """Returns the world of this process, built once from its environment."""
    return World(Settings.read(), SystemClock())
