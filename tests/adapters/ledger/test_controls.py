"""What people set."""

from __future__ import annotations

from tidemark.adapters.ledger import Ledger


def test_a_setting_is_remembered_until_it_is_emptied(ledger: Ledger) -> None:
    """A pause holds for one dataset, and ends."""
    ledger.set_control("PAUSE#web", {"by": "ann"})
    assert (ledger.paused("web"), ledger.paused("app")) == (True, False)
    assert ledger.control("PAUSE#web") == {"by": "ann"}
    ledger.set_control("PAUSE#web", {})
    assert not ledger.paused("web")
