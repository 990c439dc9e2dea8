"""Quarantine: the batches and files that wait for a person."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from tidemark.adapters.ledger.items import QUARANTINE, Item, from_item, parse_batch, parse_file, readable
from tidemark.adapters.ledger.table import Table
from tidemark.clock import from_iso
from tidemark.core.files import RefusedFile
from tidemark.core.health import QuarantinedItem
from tidemark.core.lifecycle import Batch


class Quarantine:
    def __init__(self, table: Table) -> None:
        self.table = table

    def contents(self) -> tuple[list[Batch], list[RefusedFile]]:
        """Returns all batches and all files in quarantine, each oldest first, from the index.

        Leaves out those of a newer release.
        """
        items = list(readable(self.table.open(QUARANTINE)))
        batches = [parse_batch(item) for item in items if item["sk"]["S"] == "BATCH"]
        files = [_refused_file(from_item(item)) for item in items if item["sk"]["S"] != "BATCH"]
        return batches, files

    def waiting(self, limit: int) -> list[QuarantinedItem]:
        """Returns the latest `limit` entries, latest first, and beyond that limit also the oldest, from the index."""
        latest = list(self.table.latest(QUARANTINE, limit))
        oldest = islice(self.table.open(QUARANTINE, Limit=1), 1) if len(latest) == limit else ()
        return [_waiting(item) for item in [*latest, *oldest]]


def _waiting(item: Item) -> QuarantinedItem:
    return QuarantinedItem(from_iso(item["due_at"]["S"]), is_batch=item["sk"]["S"] == "BATCH")


def _refused_file(values: Mapping[str, Any]) -> RefusedFile:
    return RefusedFile(parse_file(values), values["batch_id"], values.get("reason", ""), values.get("due_at", ""))
