"""Periods: the days, weeks and months, in UTC, for which nightly jobs run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Period:
    """A day, an ISO week (from Monday) or a month; periods of one kind sort by time."""

    every: str  # day | week | month
    start: date

    def __post_init__(self) -> None:
        if self.start != _start(self.every, self.start):
            raise ValueError(f"expected the first day of a {self.every}, found {self.start}")

    @classmethod
    def containing(cls, every: str, day: date) -> Period:
        """The period of kind `every` that contains the day."""
        return cls(every, _start(every, day))

    @classmethod
    def named(cls, every: str, name: str) -> Period:
        """The inverse of `name`."""
        return cls(every, date.fromisoformat(name))

    @property
    def name(self) -> str:
        """The period's first day, YYYY-MM-DD."""
        return self.start.isoformat()

    @property
    def end(self) -> date:
        """The first day after the period."""
        if self.every == "month":
            return (self.start + 31 * DAY).replace(day=1)
        return self.start + (7 * DAY if self.every == "week" else DAY)

    @property
    def last(self) -> date:
        """The period's last day."""
        return self.end - DAY

    @property
    def days(self) -> list[date]:
        """The period's days, in order."""
        return [self.start + number * DAY for number in range((self.end - self.start).days)]


def _start(every: str, day: date) -> date:
    if every == "day":
        return day
    if every == "week":
        return day - day.weekday() * DAY
    if every == "month":
        return day.replace(day=1)
    raise ValueError(f"expected day, week or month, found {every!r}")
