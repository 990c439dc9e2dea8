"""register: a lake that outlived its stack gets its tables in Glue back, by their newest metadata."""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.adapters.retained_lake import RetainedLake
from tidemark.core.errors import TidemarkError
from tidemark.core.retained import newest_metadata


@dataclass(frozen=True)
class RetainedTable:
    """A table of the lake bucket."""

    name: str
    metadata: str  # key of its newest metadata file
    is_registered: bool


def look(retained: RetainedLake) -> list[RetainedTable]:
    """Returns the tables of the bucket. Raises `TidemarkError` if Glue has another table under one of their names.

    That table's rows would be lost: somebody, or the new stack itself, has published into it.
    """
    found = [_look(retained, name) for name in retained.tables()]
    return [table for table in found if table.metadata]


def register(retained: RetainedLake) -> list[RetainedTable]:
    """Registers every table that Glue lacks, and returns those; a repetition registers nothing. Raises like `look`."""
    missing = [table for table in look(retained) if not table.is_registered]
    for table in missing:
        retained.register(table.name, table.metadata)
    return missing


def _look(retained: RetainedLake, name: str) -> RetainedTable:
    newest = newest_metadata(name, retained.metadata_keys(name))
    known = retained.registered(name) if newest else ""
    if known and known != retained.identity(newest):
        raise TidemarkError(f"{name}: Glue has another table of this name, with other data: nothing was registered")
    return RetainedTable(name, newest, bool(known))
