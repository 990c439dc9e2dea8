"""What waits for a person: batches in quarantine, and files that were set aside."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from tidemark.adapters.ledger.items import QUARANTINE, Item, from_item, parse_batch, parse_file
from tidemark.adapters.ledger.table import Table
from tidemark.clock import from_iso
from tidemark.core.files import RefusedFile
from tidemark.core.lifecycle import Batch
from tidemark.core.standing import Waiting


class Quarantine:
    def __init__(self, table: Table) -> None:
        self.table = table

    def contents(self) -> tuple[list[Batch], list[RefusedFile]]:
        """Batches and files that wait for a person, oldest first, from the index."""
        items = list(self.table.open(QUARANTINE))
        batches = [parse_batch(item) for item in items if item["sk"]["S"] == "BATCH"]
        found = (from_item(item) for item in items if item["sk"]["S"] != "BATCH")
        return batches, [_refused(one) for one in found]

    def waiting(self, limit: int) -> list[Waiting]:
        """Of what waits for a person the latest `limit`, latest first, and then the oldest of all, from the index."""
        latest = list(self.table.latest(QUARANTINE, limit))
        beyond = islice(self.table.open(QUARANTINE, Limit=1), 1) if len(latest) == limit else ()
        return [_waiting(item) for item in [*latest, *beyond]]


def _waiting(item: Item) -> Waiting:
    return Waiting(from_iso(item["due_at"]["S"]), is_batch=item["sk"]["S"] == "BATCH")


def _refused(found: Mapping[str, Any]) -> RefusedFile:
    return RefusedFile(parse_file(found), found["batch_id"], found.get("reason", ""), found.get("due_at", ""))
