"""The laptop cloud as a stage: the same steps, so that what an account pays for has run before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.account import REGION, STACK
from local.cloud import Cloud
from local.world import laptop_world
from prove.stage import Stage
from tidemark.clock import SystemClock

#: Schedules run so many times as fast, and so do batching windows and retries.
SPEED = 30.0


@contextmanager
def laptop_stage(state_dir: Path) -> Iterator[Stage]:
    """A fresh laptop cloud, whose own schedules move everything, as in an account."""
    with Cloud(parameters={"Eager": "true"}, state_dir=state_dir, speed=SPEED) as cloud:
        yield Stage(
            laptop_world(cloud), STACK, REGION, SystemClock().now(), look_seconds=0.1, seconds_max=180, pauses=(0, 1)
        )
