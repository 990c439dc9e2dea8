"""How far everything is: the landing time up to which every file is at rest, and how long ago that was. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def watermark(unfinished: Iterable[datetime], now: datetime) -> datetime:
    """The landing of the oldest file that is not at rest; `now` when there is none, and never later."""
    return min((now, *unfinished))


def lag_seconds(unfinished: Iterable[datetime], now: datetime) -> float:
    """Now minus the watermark, in seconds; 0 when everything is at rest."""
    return (now - watermark(unfinished, now)).total_seconds()
