"""A function's settings, read from its environment and checked once at the cold start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tidemark.core.capacity import runs_that_fit
from tidemark.core.errors import TidemarkError

#: The declarations are next to the package, both in the source tree and in the built function.
DATASETS = Path(__file__).resolve().parent.parent / "datasets"

#: Settings that may be empty: a warehouse is a workgroup or a cluster, with or without credentials of its own.
OPTIONAL = frozenset({"warehouse_workgroup", "warehouse_cluster", "warehouse_user", "warehouse_secret_arn"})


@dataclass(frozen=True)
class Settings:
    """Names of the deployed resources; the template sets each as an environment variable in capitals."""

    stack: str
    ledger_table: str
    raw_bucket: str
    control_bucket: str
    lake_bucket: str
    lake_database: str
    spark_application_id: str
    job_role_arn: str
    warehouse_workgroup: str  # empty if the warehouse is a provisioned cluster
    warehouse_cluster: str  # empty if the warehouse is a workgroup
    warehouse_user: str  # of a cluster; empty for the role's own user
    warehouse_secret_arn: str  # of a cluster or workgroup; empty for the role's own user
    warehouse_database: str
    copy_role_arn: str
    spark_cpu: str  # capacity of the Spark application: `16 vCPU`, `64 GB`, `1000 GB`
    spark_memory: str
    spark_disk: str
    reconcile_hours: int  # from the start of one pass over a dataset's raw files to the next

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Reads the settings from the environment; raises `TidemarkError` with the names of all missing variables."""
        variables = os.environ if environment is None else environment
        names = [entry.name for entry in fields(cls)]
        missing = [name.upper() for name in names if name not in OPTIONAL and not variables.get(name.upper())]
        if missing:
            raise TidemarkError(f"expected the environment variables {', '.join(missing)}, found none of them")
        values: dict[str, Any] = {name: variables.get(name.upper(), "") for name in names}
        settings = cls(**values | {"reconcile_hours": int(values["reconcile_hours"])})
        if settings.runs_at_once < 1:
            found = f"{settings.spark_cpu}, {settings.spark_memory}, {settings.spark_disk}"
            raise TidemarkError(f"expected SPARK_CPU, SPARK_MEMORY and SPARK_DISK for one run at least, found {found}")
        return settings

    @property
    def runs_at_once(self) -> int:
        """Slots: the most batches of all datasets together that are in work."""
        return runs_that_fit(self.spark_cpu, self.spark_memory, self.spark_disk)
