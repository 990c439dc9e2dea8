"""Fields whose values stand in the object's key: the same for every record of a file."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from spark_jobs.engine.formats.checks import UnfitError
from spark_jobs.engine.formats.columns import typed
from tidemark.core.dataset import Field
from tidemark.core.key_pattern import value_in_key


def key_values(fields: Sequence[Field], key: str) -> dict[str, pa.Scalar]:
    """Field name → its value in the key. `UnfitError` if a value does not fit, or a required one is not there."""
    if not fields:
        return {}
    texts = {field.raw: value_in_key(field.from_key, field.name, key) for field in fields}
    columns = {raw: pa.array([text], pa.string()) for raw, text in texts.items()}
    table, reasons = typed(columns, 1, fields)
    if reasons:
        raise UnfitError(f"the key {key}: {reasons[0]}")
    return {field.name: table[field.name][0] for field in fields}
