"""The columns that the warehouse's tables have."""

from __future__ import annotations

from tidemark.adapters.ledger import Ledger


def test_the_warehouses_columns_are_remembered(ledger: Ledger) -> None:
    """None says that the table was never made."""
    assert ledger.warehouse_tables.columns("events") is None
    for _ in range(2):
        ledger.warehouse_tables.put_columns("events", {"user_id": "VARCHAR(8)"})
    assert ledger.warehouse_tables.columns("events") == {"user_id": "VARCHAR(8)"}
