"""One module per dataset, with `transform(records) -> {table: frame}`.

`records` has the declared fields, typed and validated, and the columns of `lineage` such as `_file`. If the declaration
deduplicates, each record occurs once. A facts table must keep every record and the columns of `lineage`.
"""

from __future__ import annotations

from pyspark.sql import DataFrame


def lineage(records: DataFrame) -> list[str]:
    """The columns with a record's origin."""
    return [name for name in records.columns if name.startswith("_")]
