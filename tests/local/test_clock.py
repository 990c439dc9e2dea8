"""When an expression of EventBridge is due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from local.clock import next_due

AT = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "timezone", "expected"),
    [
        ("rate(1 minute)", "UTC", "2026-11-20T07:31:00+00:00"),
        ("rate(2 hours)", "UTC", "2026-11-20T09:30:00+00:00"),
        ("cron(0 3 * * ? *)", "UTC", "2026-11-21T03:00:00+00:00"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-11-20T07:45:00+00:00"),
        ("cron(30 7 * * ? *)", "UTC", "2026-11-21T07:30:00+00:00"),
        ("cron(0 8 ? * MON-FRI *)", "UTC", "2026-11-20T08:00:00+00:00"),
        ("cron(0 6 ? * MON,3 *)", "UTC", "2026-11-23T06:00:00+00:00"),
        ("cron(0 0 1 JAN ? *)", "UTC", "2027-01-01T00:00:00+00:00"),
        ("cron(0 0 29 2 ? *)", "UTC", "2028-02-29T00:00:00+00:00"),
        ("cron(0 0 * * ? 2025)", "UTC", None),
        ("cron(0 3 * * ? *)", "Europe/Berlin", "2026-11-21T02:00:00+00:00"),
        ("at(2026-11-20T08:00:00)", "UTC", "2026-11-20T08:00:00+00:00"),
        ("at(2026-11-20T07:00:00)", "UTC", None),
    ],
)
def test_schedules_are_due_when_aws_says(expression: str, timezone: str, expected: str | None) -> None:
    """Rates from now on, crons in their zone with ranges, lists, steps and names, one-time schedules once."""
    due = next_due(expression, AT, timezone)
    assert (due.isoformat() if due else None) == expected


def test_an_hour_that_daylight_saving_skips_is_not_due() -> None:
    """02:30 does not exist in Berlin on 28 March 2027: the schedule waits for the next day, as AWS's does."""
    due = next_due("cron(30 2 * * ? *)", datetime(2027, 3, 27, 12, tzinfo=UTC), "Europe/Berlin")
    assert due == datetime(2027, 3, 29, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression", ["rate(0 minutes)", "rate(5 weeks)", "cron(0 0 * * *)", "cron(0 0 L * ? *)", "daily"]
)
def test_expressions_that_are_not_played_are_refused(expression: str) -> None:
    """A typo, or L, W and #."""
    with pytest.raises(ValueError, match=r"expected|not supported"):
        next_due(expression, AT)
