from __future__ import annotations

from dataclasses import replace

import pytest

from tidemark.adapters.ledger import Ledger
from tidemark.core.dataset_lock import LockHolder
from tidemark.core.errors import Conflict

FIRST, SECOND, THIRD = LockHolder("sales.t.1", 1), LockHolder("sales.t.2", 1), LockHolder("sales.t.3", 1)


def test_a_dataset_has_one_turn(ledger: Ledger) -> None:
    """Whoever took it last has it; another dataset's is its own."""
    assert ledger.locks.holder("sales") is None
    ledger.locks.take("sales", FIRST, None)
    ledger.locks.take("sales", SECOND, FIRST)
    assert ledger.locks.holder("sales") == SECOND
    assert ledger.locks.holder("web") is None


@pytest.mark.parametrize("after", [None, FIRST, replace(SECOND, attempt=2)])
def test_of_two_that_found_it_over_one_takes_the_turn(ledger: Ledger, after: LockHolder | None) -> None:
    """The one who looked at an older holder, or at none, gets a conflict and changes nothing."""
    ledger.locks.take("sales", FIRST, None)
    ledger.locks.take("sales", SECOND, FIRST)
    with pytest.raises(Conflict):
        ledger.locks.take("sales", THIRD, after)
    assert ledger.locks.holder("sales") == SECOND
