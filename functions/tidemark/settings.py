"""A function's settings, read from its environment and checked once at the cold start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tidemark.core.errors import TidemarkError

#: The declarations are next to the package, both in the source tree and in the built function.
DATASETS = Path(__file__).resolve().parent.parent / "datasets"


@dataclass(frozen=True)
class Settings:
    """Names of the deployed resources; the template sets each as an environment variable in capitals."""

    ledger_table: str
    raw_bucket: str
    control_bucket: str
    lake_bucket: str
    lake_database: str
    spark_application_id: str
    job_role_arn: str
    warehouse_workgroup: str
    warehouse_database: str
    copy_role_arn: str
    runs_at_once: int  # slots: the most batches of all datasets together that are in work
    reconcile_hours: int  # from the start of one pass over a dataset's raw files to the next

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Reads the settings from the environment; raises `TidemarkError` with the names of all missing variables."""
        variables = os.environ if environment is None else environment
        names = [entry.name for entry in fields(cls)]
        missing = [name.upper() for name in names if not variables.get(name.upper())]
        if missing:
            raise TidemarkError(f"expected the environment variables {', '.join(missing)}, found none of them")
        values: dict[str, Any] = {name: variables[name.upper()] for name in names}
        return cls(**values | {name: int(values[name]) for name in ("runs_at_once", "reconcile_hours")})
