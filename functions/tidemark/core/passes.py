"""Decides when reconcile compares a dataset's raw files with the ledger, and which of them. Pure.

A daily pass covers all raw files while there are at most DAILY_KEYS_MAX keys. Beyond that it lists only the folders
that may have changed since the previous pass, and a *whole* pass covers all files every WHOLE_EVERY, to find those that
arrived late in old folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Optional

#: The most keys for which each daily pass covers all files: about $0.70 a day.
DAILY_KEYS_MAX = 10_000_000
WHOLE_EVERY = timedelta(days=30)
#: How long a folder may get files after the time in its name. Firehose retries for a day, and the time zone of its
#: folders is up to 14 hours off UTC.
LATE = timedelta(days=2)
NEVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class PassHistory:
    """The completed passes over a dataset's raw files, as the ledger records them."""

    known: Optional[datetime] = None  # when the dataset was first seen
    began: Optional[datetime] = None  # when the last pass began, whole or not
    whole: Optional[datetime] = None  # when the last whole pass began
    keys: int = 0  # keys that the last whole pass looked at

    def age(self, now: datetime) -> timedelta:
        """Time since the last pass began, or since the dataset was first seen if there was none."""
        return now - (self.began or self.known or now)

    def whole_age(self, now: datetime) -> timedelta:
        """Time since the last whole pass began, or since the dataset was first seen if there was none."""
        return now - (self.whole or self.known or now)


@dataclass(frozen=True)
class DuePass:
    """A pass to begin or to resume."""

    dataset: str
    since: Optional[datetime] = None  # skips folders named after times that ended before it; None for a whole pass


def daily_passes(histories: Mapping[str, PassHistory], every: timedelta, now: datetime) -> list[DuePass]:
    """The daily passes that are due: the last one began at least `every` ago. Oldest first."""
    by_age = sorted(histories.items(), key=lambda entry: (entry[1].began or NEVER, entry[0]))
    return [DuePass(name, _since(history)) for name, history in by_age if now - (history.began or NEVER) >= every]


def whole_passes(histories: Mapping[str, PassHistory], now: datetime) -> list[DuePass]:
    """The whole passes that are due, for datasets whose daily passes skip folders. Oldest first."""
    by_age = sorted(histories.items(), key=lambda entry: (entry[1].whole or NEVER, entry[0]))
    return [DuePass(name) for name, history in by_age if _since(history) and history.whole_age(now) >= WHOLE_EVERY]


def _since(history: PassHistory) -> Optional[datetime]:
    """The time before which a daily pass skips folders; None if it covers all files."""
    has_many_keys = history.whole and history.keys > DAILY_KEYS_MAX
    return history.began - LATE if has_many_keys and history.began else None
