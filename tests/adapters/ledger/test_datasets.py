"""Declarations, as the ledger remembers them."""

from __future__ import annotations

from typing import Any

import pytest

from tidemark.adapters.ledger import Ledger


def test_the_last_declaration_of_a_dataset_is_remembered(ledger: Ledger, dynamodb: Any) -> None:
    """By another process, too."""
    ledger.register("web", {"name": "web", "prefix": "web/"})
    ledger.register("app", {"name": "app"})
    ledger.register("web", {"name": "web", "prefix": "other/"})
    assert Ledger(dynamodb, "ledger").registered() == {
        "web": {"name": "web", "prefix": "other/"},
        "app": {"name": "app"},
    }


def test_a_process_writes_a_declaration_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for with every batch; another declaration is written again."""
    written = []
    put = ledger._put
    monkeypatch.setattr(ledger, "_put", lambda item, **more: (written.append(item["sk"]), put(item, **more)))
    for prefix in ("a/", "a/", "b/", "b/"):
        ledger.register("web", {"prefix": prefix})
    assert written == ["web", "web"]
