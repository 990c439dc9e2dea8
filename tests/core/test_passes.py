"""Which passes of reconcile are due, and over how much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidemark.core.passes import DAILY_KEYS_MAX, LATE, WHOLE_EVERY, DuePass, PassHistory, daily_passes, whole_passes

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MUCH = DAILY_KEYS_MAX + 1


def due(every: timedelta = DAY, **passed: PassHistory) -> list[DuePass]:
    return daily_passes(passed, every, NOW)


def test_the_oldest_pass_comes_first() -> None:
    """A dataset that never had one before all; what had one within the day is not due."""
    young, old = (PassHistory(NOW, NOW - age, NOW - age, 5) for age in (DAY / 2, 2 * DAY))
    older = PassHistory(NOW, NOW - 3 * DAY, NOW - 3 * DAY, 5)
    assert due(a=young, b=old, c=older, d=PassHistory(NOW)) == [DuePass("d"), DuePass("c"), DuePass("b")]
    assert len(due(timedelta(0), a=young, b=old, c=older, d=PassHistory(NOW))) == 4


@pytest.mark.parametrize(("keys", "since"), [(DAILY_KEYS_MAX, None), (MUCH, NOW - DAY - LATE)])
def test_what_is_not_much_is_compared_whole_every_day(keys: int, since: datetime | None) -> None:
    """Else only the folders that the pass before cannot have seen the last of."""
    assert due(a=PassHistory(NOW, NOW - DAY, NOW - DAY, keys)) == [DuePass("a", since)]


def test_a_pass_over_everything_is_due_once_a_month() -> None:
    """Where the daily ones are not whole anyway; the oldest first."""
    much, more = (PassHistory(NOW, NOW - DAY, NOW - WHOLE_EVERY - age, MUCH) for age in (0 * DAY, DAY))
    little, early = (
        PassHistory(NOW, NOW - DAY, much.whole, 5),
        PassHistory(NOW, NOW - DAY, NOW - WHOLE_EVERY + DAY / 24, MUCH),
    )
    passed = {"much": much, "more": more, "little": little, "early": early, "new": PassHistory(NOW)}
    assert whole_passes(passed, NOW) == [DuePass("more"), DuePass("much")]


def test_a_dataset_that_never_had_a_pass_is_as_old_as_it_is_known() -> None:
    """And not at all, before it is."""
    assert [one.age(NOW) for one in (PassHistory(), PassHistory(NOW - DAY), PassHistory(NOW - DAY, NOW))] == [
        0 * DAY,
        DAY,
        0 * DAY,
    ]
    assert PassHistory(NOW - 2 * DAY, NOW - DAY).whole_age(NOW) == 2 * DAY
