"""The limits of a load: how many statements each table takes, and how wide the rows of these are. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tidemark.core.dataset import Table

STATEMENTS_MAX = 40  # per BatchExecuteStatement (docs/aws-facts.md#redshift-data-api)
FRAME_STATEMENTS = 5  # of a load, whatever its tables
TABLE_STATEMENTS = 4  # of a table, at most
LATEST_STATEMENTS = 7  # of a table of kind latest, at most
ROW_BYTES_MAX = 65_535  # of the columns that a statement processes (docs/aws-facts.md#redshift-row-width)
#: Bytes of the accepted batches' columns, with which a load joins each row: dataset, batch and attempt.
ACCEPTED_BYTES = (32 + 4) + (64 + 4) + 4
RANK_BYTES = 8  # of the number by which a load chooses the latest row of a key


def statements_of(table: Table) -> int:
    """The most statements that a load takes for this table."""
    return LATEST_STATEMENTS if table.kind == "latest" else TABLE_STATEMENTS


def statements_needed(tables: Iterable[Table]) -> int:
    """The most statements that a load of these tables takes; a load with more than STATEMENTS_MAX cannot be sent."""
    return FRAME_STATEMENTS + sum(map(statements_of, tables))


def row_bytes(table: Table) -> int:
    """The declared bytes of the widest row that a load processes for this table.

    Redshift does not count a VARCHAR in full, but does not say how much of it counts. The full length is safe.
    """
    types = {column.name: column.type for column in table.all_columns}
    ranked = RANK_BYTES + types[table.key].row_bytes if table.key else 0
    return sum(type_.row_bytes for type_ in types.values()) + max(ACCEPTED_BYTES, ranked)
