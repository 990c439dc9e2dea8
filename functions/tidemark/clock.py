"""The one place where time comes from; everything else is given `now`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """`2026-11-21T07:25:00.000000Z`: fixed width, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_iso(text: str) -> datetime:
    """The inverse of `iso`; also takes S3's forms without or with fewer fraction digits."""
    return datetime.fromisoformat(text).astimezone(UTC)
