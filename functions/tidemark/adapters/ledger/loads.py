"""Loads: warehouse transactions, each with the batches that it loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.items import LOADS, load_item, load_key, parse_load, readable
from tidemark.adapters.ledger.table import Table
from tidemark.core.lifecycle import Batch
from tidemark.core.loading import Load


class Loads:
    def __init__(self, table: Table, batches: Batches) -> None:
        self.table, self.batches = table, batches

    def begin(self, load: Load, batches: Sequence[Batch]) -> Load:
        """Writes the load and its batches, which it has moved to LOADING, in one transaction.

        Closes the race between two loaders that take the same batch: the second gets `Conflict`.
        """
        saved = replace(load, version=load.version + 1)
        self.batches.save_all(batches, [self._load_write(saved, load.version)])
        return saved

    def get(self, load_id: str) -> Load | None:
        """Returns the current load (consistent read), or None if there is none.

        Raises `NewerRelease` if only a newer release may act on it.
        """
        item = self.table.get(load_key(load_id), "LOAD")
        return parse_load(item) if item else None

    def save(self, load: Load) -> Load:
        """Writes the load, unless it was written since it was read.

        Closes the race between two loaders or settlers: the second gets `Conflict`.
        """
        saved = replace(load, version=load.version + 1)
        self.table.transact([self._load_write(saved, load.version)])
        return saved

    def open(self) -> list[Load]:
        """Returns the loads that are not closed, from the index; leaves out those of a newer release."""
        return [parse_load(item) for item in readable(self.table.open(LOADS))]

    def _load_write(self, saved: Load, version: int) -> dict[str, Any]:
        return {"Put": {"TableName": self.table.name, "Item": load_item(saved), **self.table.unwritten_since(version)}}
