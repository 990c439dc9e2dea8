"""Declarations, as the ledger remembers them."""

from __future__ import annotations

from typing import Any

import pytest

from tidemark.adapters.ledger import Ledger


def test_the_last_declaration_of_a_dataset_is_remembered(ledger: Ledger, dynamodb: Any) -> None:
    """By another process, too."""
    ledger.declarations.register("web", {"name": "web", "prefix": "web/"})
    ledger.declarations.register("app", {"name": "app"})
    ledger.declarations.register("web", {"name": "web", "prefix": "other/"})
    assert Ledger(dynamodb, "ledger").declarations.all() == {
        "web": {"name": "web", "prefix": "other/"},
        "app": {"name": "app"},
    }


def test_a_process_writes_a_declaration_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for with every batch; another declaration is written again."""
    written = []
    write = ledger.table.overwrite
    monkeypatch.setattr(ledger.table, "overwrite", lambda item: (written.append(item["sk"]), write(item)))
    for prefix in ("a/", "a/", "b/", "b/"):
        ledger.declarations.register("web", {"prefix": prefix})
    assert written == ["web", "web"]
