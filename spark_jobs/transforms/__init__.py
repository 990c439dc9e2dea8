"""One module per dataset, with `transform(records) -> {table: frame}`.

`records` has the declared fields, typed and checked, each record once where the declaration deduplicates, and
`_file`. A table of facts keeps every record, and lets the columns of `lineage` through.
"""

from __future__ import annotations

from pyspark.sql import DataFrame


def lineage(records: DataFrame) -> list[str]:
    """The columns that say where a record came from."""
    return [name for name in records.columns if name.startswith("_")]
