"""Waiting in a proof ends: with what it waits for, or with an error that names it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from prove.stage import Stage
from tidemark.core.errors import TidemarkError


def stage(world: Any = None) -> Stage:
    """A stage that looks without a pause, and at most once more."""
    return Stage(world, "prove-a", "eu-west-1", datetime(2026, 11, 28, tzinfo=UTC), look_seconds=0, seconds_max=0)


def ledger(open_batches: int, segments: list[str]) -> Any:
    """A world with one dataset, so many open batches, and a segment for each batch id; "" is pending."""
    return SimpleNamespace(
        datasets={"web_logs": None},
        ledger=SimpleNamespace(
            batches=SimpleNamespace(open=lambda _: ["batch"] * open_batches),
            segments=SimpleNamespace(all=lambda _: [SimpleNamespace(batch_id=one) for one in segments]),
        ),
    )


def test_what_never_comes_is_named() -> None:
    """The step fails with what it has waited for, so that the others can be tried."""
    with pytest.raises(TidemarkError, match="waited 0 s for an alarm"):
        stage().wait("an alarm", lambda: False)


def test_what_is_there_is_not_waited_for() -> None:
    """The first look suffices."""
    looks = iter([True])
    stage().wait("it", lambda: next(looks))


@pytest.mark.parametrize(
    ("open_batches", "segments", "rests"),
    [(0, [], True), (0, ["claimed"], True), (1, [], False), (0, ["claimed", ""], False)],
)
def test_rest_means_no_open_batch_and_no_pending_file(open_batches: int, segments: list[str], rests: bool) -> None:
    """A segment that a batch has taken is no pending file."""
    it = stage(ledger(open_batches, segments))
    if rests:
        it.rest()
    else:
        with pytest.raises(TidemarkError, match="the batches to come to rest"):
            it.rest()
