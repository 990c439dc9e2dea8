"""The watermark: the landing time before which every file is completely processed, and the lag behind now. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def watermark(unfinished: Iterable[datetime], now: datetime) -> datetime:
    """The earliest landing time in `unfinished`, or `now` if there is none; never later than `now`."""
    return min((now, *unfinished))


def lag_seconds(unfinished: Iterable[datetime], now: datetime) -> float:
    """`now` minus the watermark, in seconds; 0 if nothing is unfinished."""
    return (now - watermark(unfinished, now)).total_seconds()
