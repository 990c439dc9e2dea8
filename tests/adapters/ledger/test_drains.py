"""The lease of a deployment."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tidemark.adapters.ledger import Ledger
from tidemark.core.draining import lease
from tidemark.core.errors import Conflict


def test_a_drain_is_begun_renewed_and_ended(ledger: Ledger, noon: datetime) -> None:
    """Each time by the one who holds it."""
    first, renewed = lease("ann", noon), lease("ann", noon + timedelta(minutes=1))
    assert ledger.drains.current() is None
    ledger.drains.put(first, None)
    ledger.drains.put(renewed, first)
    assert ledger.drains.current() == renewed
    ledger.drains.end(renewed)
    assert ledger.drains.current() is None


def test_of_two_deployments_one_drains(ledger: Ledger, noon: datetime) -> None:
    """The second one, and one whose lease was taken over, is told so."""
    anns, bobs = lease("ann", noon), lease("bob", noon + timedelta(hours=1))
    ledger.drains.put(anns, None)
    with pytest.raises(Conflict):
        ledger.drains.put(bobs, None)
    ledger.drains.put(bobs, anns)
    with pytest.raises(Conflict):
        ledger.drains.put(lease("ann", noon), anns)
    with pytest.raises(Conflict):
        ledger.drains.end(anns)
    assert ledger.drains.current() == bobs


def test_a_drain_is_no_pause(ledger: Ledger, noon: datetime) -> None:
    """What a person has paused stays so, and nothing else is paused."""
    ledger.controls.pause("web", True)
    drain = lease("ann", noon)
    ledger.drains.put(drain, None)
    ledger.drains.end(drain)
    assert (ledger.controls.paused("web"), ledger.controls.paused("app")) == (True, False)
