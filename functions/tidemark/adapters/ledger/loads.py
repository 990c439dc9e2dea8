"""Loads: warehouse transactions, each with the batches that it brings in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.items import LOADS, load_item, load_key, parse_load
from tidemark.adapters.ledger.table import Table
from tidemark.core.lifecycle import Batch
from tidemark.core.loading import Load


class Loads:
    def __init__(self, table: Table, batches: Batches) -> None:
        self.table, self.batches = table, batches

    def begin(self, load: Load, batches: Sequence[Batch]) -> Load:
        """Write the load and move its batches into it, all or nothing: no batch is in two loads at once."""
        saved = replace(load, version=load.version + 1)
        self.batches.save_all(batches, [self._load_write(saved, load.version)])
        return saved

    def get(self, load_id: str) -> Load | None:
        """The load as it is now (consistent read)."""
        item = self.table.get(load_key(load_id), "LOAD")
        return parse_load(item) if item else None

    def save(self, load: Load) -> Load:
        """Write the load, if nobody has written it since it was read."""
        saved = replace(load, version=load.version + 1)
        self.table.transact([self._load_write(saved, load.version)])
        return saved

    def open(self) -> list[Load]:
        """Loads that are not closed, from the index."""
        return [parse_load(item) for item in self.table.open(LOADS)]

    def _load_write(self, saved: Load, version: int) -> dict[str, Any]:
        return {"Put": {"TableName": self.table.name, "Item": load_item(saved), **self.table.unwritten_since(version)}}
