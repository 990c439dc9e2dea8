"""Moments, and how they are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tidemark.clock import SystemClock, from_iso, iso

MOMENT = datetime(2026, 11, 21, 7, 25, tzinfo=UTC)


def test_the_systems_clock_is_aware_of_utc() -> None:
    """Whatever the machine's zone is: the tests' own is 45 minutes off the hour."""
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_order_of_texts_is_order_of_time() -> None:
    """All have one width and one zone."""
    moments = [MOMENT, MOMENT + timedelta(microseconds=1), MOMENT + timedelta(seconds=1), MOMENT + timedelta(days=40)]
    texts = [iso(moment) for moment in moments]
    assert texts[0] == "2026-11-21T07:25:00.000000Z"
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {27}
    assert [from_iso(text) for text in texts] == moments


@pytest.mark.parametrize("text", ["2026-11-21T07:25:00Z", "2026-11-21T07:25:00.000Z", "2026-11-21T08:25:00+01:00"])
def test_other_spellings_are_read(text: str) -> None:
    """S3 writes fewer digits; a zone is taken into account."""
    assert from_iso(text) == MOMENT
    assert from_iso(text).utcoffset() == timedelta(0)


def test_a_moment_of_another_zone_is_written_in_utc() -> None:
    """The same moment has one text."""
    assert iso(MOMENT.astimezone(timezone(timedelta(hours=5)))) == iso(MOMENT)
