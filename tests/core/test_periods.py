"""Periods: days, ISO weeks and months of UTC."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.periods import Period

EVERY = st.sampled_from(("day", "week", "month"))
DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("every", "start", "end"),
    [("day", "2026-11-20", "2026-11-21"), ("week", "2026-11-16", "2026-11-23"), ("month", "2026-11-01", "2026-12-01")],
)
def test_a_period_begins_and_ends_where_the_calendar_says(every: str, start: str, end: str) -> None:
    """A Friday in November lies in a day, in a week from Monday, and in a month; the end is outside."""
    period = Period.containing(every, date(2026, 11, 20))
    assert (period.name, period.end.isoformat()) == (start, end)


@given(EVERY, DAYS)
def test_periods_of_a_kind_tile_the_calendar(every: str, day: date) -> None:
    """Every day lies in exactly one period: all its days name it, and the next one begins where it ends."""
    period = Period.containing(every, day)
    assert day in period.days
    assert {Period.containing(every, one) for one in period.days} == {period}
    assert period.days == sorted(period.days)
    assert Period.containing(every, period.end).start == period.end == period.days[-1] + timedelta(days=1)


@given(EVERY, DAYS)
def test_a_period_is_known_by_its_first_day(every: str, day: date) -> None:
    """Kind and name bring the period back."""
    period = Period.containing(every, day)
    assert Period.named(every, period.name) == period


@pytest.mark.parametrize(("every", "day"), [("week", date(2026, 11, 20)), ("month", date(2026, 11, 2))])
def test_a_period_begins_on_its_first_day_only(every: str, day: date) -> None:
    """A Friday begins no week, the second no month."""
    with pytest.raises(ValueError, match=f"expected the first day of a {every}, found {day}"):
        Period(every, day)


def test_an_unknown_kind_is_named() -> None:
    """The error says what there is and what was found."""
    with pytest.raises(ValueError, match="expected day, week or month, found 'year'"):
        Period.containing("year", date(2026, 1, 1))
