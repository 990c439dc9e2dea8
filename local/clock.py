"""The laptop cloud's clock, which a test can advance, and the due times of schedule expressions."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

from local.account import TemplateError

_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_HORIZON_DAYS = 366 * 8  # a cron that is not due in eight years (29 February) never is


class Clock:
    """A clock that starts at the real time, runs `speed` times as fast, and can be advanced.

    Schedules follow it, and batching windows and retry delays are divided by its speed. With
    `schedules=False`, schedules fire only on request. Queues belong to moto and keep real time.
    """

    def __init__(self, speed: float = 1.0, *, schedules: bool = True) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above 0, found {speed}")
        self.speed = speed
        self.schedules = schedules
        self._lock = threading.Lock()
        self._start = datetime.now(UTC)
        self._origin = time.monotonic()
        self._advanced = timedelta()

    def now(self) -> datetime:
        with self._lock:
            return self._start + timedelta(seconds=(time.monotonic() - self._origin) * self.speed) + self._advanced

    def advance(self, seconds: float) -> None:
        """Moves the clock forward; each schedule that becomes due fires once."""
        with self._lock:
            self._advanced += timedelta(seconds=seconds)

    def real_seconds(self, seconds: float) -> float:
        """Real seconds that pass during `seconds` of this clock."""
        return seconds / self.speed


@dataclass(frozen=True)
class Cron:
    """A parsed cron(minute hour day-of-month month day-of-week year); None means every value."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None  #: 1 = Sunday, as AWS counts
    years: frozenset[int] | None

    def on(self, day: date) -> bool:
        weekday = day.isoweekday() % 7 + 1
        return (
            day.month in self.months
            and (self.days is None or day.day in self.days)
            and (self.weekdays is None or weekday in self.weekdays)
            and (self.years is None or day.year in self.years)
        )


def next_due(expression: str, after: datetime, timezone: str = "UTC") -> datetime | None:
    """The first time after `after` (aware) at which `expression` is due, in UTC; None if never again.

    As on AWS, a local time that daylight saving skips is never due, and one that it repeats is due once.
    """
    kind, body = _split(expression)
    if kind == "rate":
        return after + timedelta(seconds=_rate_seconds(body))
    if kind == "at":
        due = datetime.fromisoformat(body).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
        return due if due > after else None
    return _next_cron(_parse_cron(body), after, ZoneInfo(timezone))


def check_expression(expression: str, where: str) -> None:
    """Raises TemplateError, naming `where`, unless `expression` is a supported rate, cron or at expression."""
    try:
        next_due(expression, datetime(2026, 1, 1, tzinfo=UTC))
    except ValueError as error:
        raise TemplateError(f"{where}: {expression!r}: {error}") from error


def _split(expression: str) -> tuple[str, str]:
    match = re.fullmatch(r"(rate|cron|at)\((.+)\)", expression)
    if not match:
        raise ValueError("expected rate(…), cron(…) or at(…)")
    return match.group(1), match.group(2).strip()


def _rate_seconds(body: str) -> int:
    match = re.fullmatch(r"(\d+) (minute|hour|day)(s?)", body)
    if not match or int(match.group(1)) < 1:
        raise ValueError("expected a number of minutes, hours or days")
    return int(match.group(1)) * _UNITS[match.group(2)]


def _next_cron(cron: Cron, after: datetime, zone: ZoneInfo) -> datetime | None:
    first = after.astimezone(zone).date()
    for offset in range(_HORIZON_DAYS):
        day = first + timedelta(days=offset)
        if not cron.on(day):
            continue
        for hour in cron.hours:
            for minute in cron.minutes:
                due = datetime.combine(day, time_of_day(hour, minute), zone).astimezone(UTC)
                skipped = due.astimezone(zone).hour != hour
                if due > after and not skipped:
                    return due
    return None


def _parse_cron(body: str) -> Cron:
    fields = body.split()
    if len(fields) != 6:
        raise ValueError(f"expected six fields, found {len(fields)}")
    minute, hour, day, month, weekday, year = fields
    if "?" not in (day, weekday):
        raise ValueError("expected ? as day of month or as day of week")
    return Cron(
        minutes=tuple(sorted(_field(minute, 0, 59))),
        hours=tuple(sorted(_field(hour, 0, 23))),
        days=None if day in "*?" else _field(day, 1, 31),
        months=_field(month, 1, 12, _MONTHS),
        weekdays=None if weekday in "*?" else _field(weekday, 1, 7, _DAYS),
        years=None if year == "*" else _field(year, 1970, 2199),
    )


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        start, stop = _span(span, low, high, names)
        values.update(range(start, (high if step and span.isdigit() else stop) + 1, int(step or 1)))
    if not values or min(values) < low or max(values) > high:
        raise ValueError(f"field {text!r} is outside {low}-{high}")
    return frozenset(values)


def _span(span: str, low: int, high: int, names: tuple[str, ...]) -> tuple[int, int]:
    if span == "*":
        return low, high
    start, _, stop = span.partition("-")
    return _number(start, names), _number(stop or start, names)


def _number(text: str, names: tuple[str, ...]) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + 1
    if not text.isdigit():
        raise ValueError(f"expected a number or a name, found {text!r} (L, W and # are not supported)")
    return int(text)
