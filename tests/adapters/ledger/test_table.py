"""What the table's answers mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.adapters.ledger.conftest import batch
from tidemark.adapters.ledger import Ledger
from tidemark.core.errors import Conflict, Terminal, Transient


@pytest.mark.parametrize(
    ("reasons", "raised"),
    [
        (["None", "ConditionalCheckFailed"], Conflict),
        (["TransactionConflict"], Conflict),
        (["ValidationError", "ConditionalCheckFailed"], Terminal),
        (["ItemCollectionSizeLimitExceeded"], Terminal),
        (["ThrottlingError", "None"], Transient),
        ([], Transient),
    ],
)
def test_only_a_lost_race_is_a_conflict(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, reasons: list[str], raised: type[Exception]
) -> None:
    """An item that is too large or a throttle does not mean that somebody else has moved the batch."""
    told = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": one} for one in reasons],
    }

    def refuse(**_: Any) -> None:
        raise ClientError(told, "TransactWriteItems")

    monkeypatch.setattr(ledger.table, "client", SimpleNamespace(transact_write_items=refuse))
    with pytest.raises(raised):
        ledger.batches.save(batch())
