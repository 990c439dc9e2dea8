"""What waits for a person."""

from __future__ import annotations

from typing import Any

from tests.adapters.ledger.conftest import batch, refused, stored
from tidemark.adapters.ledger import Ledger
from tidemark.core.files import FileVersion, Holder, RefusedFile
from tidemark.core.lifecycle import State


def test_what_waits_for_a_person_is_listed(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Quarantined batches and refused files stand in one list, each with its reason."""
    refused(ledger, file)
    poisoned = ledger.batches.save(batch("web.t.2", state=State.QUARANTINED, due_at=None, reason="beyond repair"))
    assert ledger.quarantine.contents() == (
        [poisoned],
        [RefusedFile(file, "web.t.1", "not JSON", ledger.quarantine.contents()[1][0].since)],
    )
    assert ledger.batches.open("web") == []


def test_a_discarded_file_is_off_the_list_and_not_forgotten(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion
) -> None:
    """Years later the ledger still says why its rows are missing."""
    refused(ledger, file)
    ledger.files.discard(file)
    assert ledger.quarantine.contents() == ([], [])
    assert [item["reason"] for item in stored(dynamodb) if item["sk"]["S"] == "REFUSED#v1"] == [{"S": "not JSON"}]
    assert ledger.files.holders(file.bucket, file.key) == [held]
