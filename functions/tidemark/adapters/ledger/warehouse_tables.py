"""The columns of the warehouse's tables, as recorded after the last DDL."""

from __future__ import annotations

from collections.abc import Mapping

from tidemark.adapters.ledger.items import from_item
from tidemark.adapters.ledger.table import Table, key_of


class WarehouseTables:
    def __init__(self, table: Table) -> None:
        self.table = table

    def columns(self, name: str) -> dict[str, str] | None:
        """Returns column → type of the warehouse table of that name; None if it was never created."""
        item = self.table.get("WAREHOUSE", f"TABLE#{name}")
        return dict(from_item(item)["columns"]) if item else None

    def put_columns(self, name: str, columns: Mapping[str, str]) -> None:
        """Records the columns that the warehouse table now has. Repeating it changes nothing."""
        self.table.overwrite({"pk": "WAREHOUSE", "sk": f"TABLE#{name}", "columns": dict(columns)})

    def forget(self, name: str) -> None:
        """Deletes the record, so that the table is made again. Repeating it changes nothing."""
        self.table.client.delete_item(TableName=self.table.name, Key=key_of("WAREHOUSE", f"TABLE#{name}"))
