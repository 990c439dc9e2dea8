"""When no run may start, and when the application may be stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidemark.core.draining import (
    DRAIN_LEASE,
    RENEWED_AFTER,
    SUBMITTERS_END_AFTER,
    Drain,
    is_another,
    is_draining,
    lease,
    may_stop,
    needs_renewal,
)

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_drain_ends_with_its_lease() -> None:
    """A deployer that died stops the pipeline until then, and no longer."""
    drain = lease("ann", NOON)
    assert not is_draining(None, NOON)
    assert is_draining(drain, NOON)
    assert is_draining(drain, NOON + DRAIN_LEASE - SECOND)
    assert not is_draining(drain, NOON + DRAIN_LEASE)


def test_a_renewed_lease_begins_anew() -> None:
    """It is renewed often enough to survive a few failed renewals."""
    drain = lease("ann", NOON)
    assert not needs_renewal(drain, NOON + RENEWED_AFTER - SECOND)
    assert needs_renewal(drain, NOON + RENEWED_AFTER)
    assert lease(drain.deployer, NOON + RENEWED_AFTER).ends_at == drain.ends_at + RENEWED_AFTER
    assert DRAIN_LEASE > 5 * RENEWED_AFTER


@pytest.mark.parametrize(
    ("drain", "expected"),
    [
        (None, False),
        (lease("ann", NOON), False),
        (lease("bob", NOON), True),
        (Drain("bob", NOON), False),
    ],
    ids=["none", "its own", "another's", "another's, expired"],
)
def test_only_one_deployment_drains(drain: Drain | None, expected: bool) -> None:
    """A lease that has expired, or its own, stops no deployment."""
    assert is_another(drain, "ann", NOON) is expected


@pytest.mark.parametrize(
    ("seconds", "runs", "expected"),
    [(0, 0, False), (74, 0, False), (75, 0, True), (75, 1, False), (7200, 1, False)],
)
def test_the_application_may_stop_once_nothing_can_start(seconds: int, runs: int, expected: bool) -> None:
    """A submitter that had read the ledger before the drain began may start a run until its own timeout."""
    assert may_stop(NOON, NOON + seconds * SECOND, runs) is expected
    assert SUBMITTERS_END_AFTER == 75 * SECOND
