"""The watermark, over any set of landings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.watermark import lag_seconds, watermark

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
landings = st.lists(st.integers(-3_600, 60).map(lambda seconds: NOW + timedelta(seconds=seconds)), max_size=6)


def test_the_oldest_file_not_at_rest_holds_the_watermark() -> None:
    """Of two files under way, landed five and nine minutes ago, the older one says how far everything is."""
    unfinished = [NOW - timedelta(minutes=5), NOW - timedelta(minutes=9)]
    assert watermark(unfinished, NOW) == NOW - timedelta(minutes=9)
    assert lag_seconds(unfinished, NOW) == 540


@given(landings)
def test_the_watermark_is_never_ahead_of_the_clock(unfinished: list[datetime]) -> None:
    """A landing time from a clock that is ahead does not make the lag negative."""
    assert watermark(unfinished, NOW) <= NOW
    assert lag_seconds(unfinished, NOW) >= 0


@given(landings, st.integers(0, 5), st.integers(0, 600))
def test_coming_to_rest_never_moves_it_back(unfinished: list[datetime], done: int, seconds: int) -> None:
    """A file that comes to rest, and time that passes, can only move it on."""
    later = NOW + timedelta(seconds=seconds)
    assert watermark(unfinished[:done] + unfinished[done + 1 :], later) >= watermark(unfinished, NOW)


@given(landings, landings)
def test_only_an_older_landing_moves_it_back(unfinished: list[datetime], landed: list[datetime]) -> None:
    """New files hold it where it is unless they landed before it: late events, never fresh ones."""
    before, after = watermark(unfinished, NOW), watermark([*unfinished, *landed], NOW)
    assert after == before or (after < before and after in landed)
