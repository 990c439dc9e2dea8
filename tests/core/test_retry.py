from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.retry import FIRST, LONGEST, backoff


@given(st.text(), st.integers(1, 10_000))
def test_a_wait_lies_between_half_and_all_of_its_step(subject: str, failures: int) -> None:
    """Steps double from 30 s to 30 min; jitter takes at most half away."""
    full = min(LONGEST, FIRST * 2 ** min(failures - 1, 10))
    assert full / 2 <= backoff(subject, failures) <= full


@given(st.text(), st.integers(1, 10_000))
def test_a_repeated_step_waits_as_long(subject: str, failures: int) -> None:
    """The jitter is derived, not drawn, so a crash between deciding and saving changes nothing."""
    assert backoff(subject, failures) == backoff(subject, failures)


def test_batches_that_fail_together_return_apart() -> None:
    """A hundred batches after one outage spread over the wait."""
    waits = {backoff(f"web.20260301T120000.{number:08x}", 1) for number in range(100)}
    assert len(waits) > 50
    assert max(waits) - min(waits) > timedelta(seconds=10)
