"""What people set."""

from __future__ import annotations

from tidemark.adapters.ledger import Ledger


def test_a_setting_is_remembered_until_it_is_emptied(ledger: Ledger) -> None:
    """A pause holds for one dataset, and ends."""
    ledger.controls.set("PAUSE#web", {"by": "ann"})
    assert (ledger.controls.paused("web"), ledger.controls.paused("app")) == (True, False)
    assert ledger.controls.get("PAUSE#web") == {"by": "ann"}
    ledger.controls.set("PAUSE#web", {})
    assert not ledger.controls.paused("web")
