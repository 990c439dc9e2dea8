"""Loads, and what the warehouse's tables have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.items import LOADS, from_item, load_item, load_key, parse_load
from tidemark.core.lifecycle import Batch
from tidemark.core.loading import Load


class Loads(Batches):
    def begin_load(self, load: Load, batches: Sequence[Batch]) -> Load:
        """Write the load and move its batches into it, all or nothing: no batch is in two loads at once."""
        saved = replace(load, version=load.version + 1)
        self.save_all(batches, [self._load_write(saved, load.version)])
        return saved

    def load(self, load_id: str) -> Load | None:
        """The load as it is now (consistent read)."""
        item = self._get(load_key(load_id), "LOAD")
        return parse_load(item) if item else None

    def save_load(self, load: Load) -> Load:
        """Write the load, if nobody has written it since it was read."""
        saved = replace(load, version=load.version + 1)
        self._transact([self._load_write(saved, load.version)])
        return saved

    def open_loads(self) -> list[Load]:
        """Loads that are not closed, from the index."""
        return [parse_load(item) for item in self._open(LOADS)]

    def warehouse_columns(self, table: str) -> dict[str, str] | None:
        """Column → type of the warehouse's table as last applied; None when it was never made."""
        item = self._get("WAREHOUSE", f"TABLE#{table}")
        return dict(from_item(item)["columns"]) if item else None

    def put_warehouse_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Record what the warehouse's table now has. Repeating it changes nothing."""
        self._put({"pk": "WAREHOUSE", "sk": f"TABLE#{table}", "columns": dict(columns)})

    def _load_write(self, saved: Load, version: int) -> dict[str, Any]:
        return {"Put": {"TableName": self.table, "Item": load_item(saved), **self._unwritten_since(version)}}
