"""The clock: the only source of time. All other code is given `now`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Returns the present time, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Returns the present time, timezone-aware, in UTC."""
        return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """Formats a time as `2026-11-21T07:25:00.000000Z`: fixed width, so that text sorts by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_iso(text: str) -> datetime:
    """Parses a time in the form of `iso`, or in S3's forms with fewer or no fraction digits."""
    return datetime.fromisoformat(text).astimezone(UTC)
