"""When a dataset's raw files are compared with the ledger, and how much of them. Pure.

The daily pass is over everything, as long as that is not much. Beyond it only such folders are listed as can have
changed since the pass before, and a *whole* pass over everything follows at leisure: for what came into old folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Optional

#: Keys that each daily pass looks at, old ones too: about $0.70 a day.
DAILY_KEYS_MAX = 10_000_000
WHOLE_EVERY = timedelta(days=30)
#: How long after its time a folder still gets files. Firehose tries for a day; its zone is up to 14 hours off UTC.
LATE = timedelta(days=2)
NEVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Passed:
    """What is remembered of the complete passes over a dataset's raw files."""

    known: Optional[datetime] = None  # since when the dataset is known
    began: Optional[datetime] = None  # the last one, whole or not
    whole: Optional[datetime] = None  # when the last one over everything began
    keys: int = 0  # that it looked at

    def age(self, now: datetime) -> timedelta:
        """Since the last pass began; since the dataset is known, where there was none."""
        return now - (self.began or self.known or now)

    def whole_age(self, now: datetime) -> timedelta:
        """The same of the last pass over everything."""
        return now - (self.whole or self.known or now)


@dataclass(frozen=True)
class DuePass:
    """A pass that is to begin, or to go on."""

    dataset: str
    since: Optional[datetime] = None  # folders of times that ended before it are left out; None: it is a whole one


def daily_passes(passed: Mapping[str, Passed], every: timedelta, now: datetime) -> list[DuePass]:
    """What is due because the last pass began `every` or longer ago, the oldest first."""
    by_age = sorted(passed.items(), key=lambda one: (one[1].began or NEVER, one[0]))
    return [DuePass(name, _since(found)) for name, found in by_age if now - (found.began or NEVER) >= every]


def whole_passes(passed: Mapping[str, Passed], now: datetime) -> list[DuePass]:
    """What is due over everything, where the daily passes are not, the oldest first."""
    by_age = sorted(passed.items(), key=lambda one: (one[1].whole or NEVER, one[0]))
    return [DuePass(name) for name, found in by_age if _since(found) and found.whole_age(now) >= WHOLE_EVERY]


def _since(passed: Passed) -> Optional[datetime]:
    """None where the daily pass is a whole one."""
    is_much = passed.whole and passed.keys > DAILY_KEYS_MAX
    return passed.began - LATE if is_much and passed.began else None
