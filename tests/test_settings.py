"""Settings come from the environment."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tidemark.core.errors import TidemarkError
from tidemark.settings import Settings

SETTINGS = {entry.name.upper(): entry.name for entry in fields(Settings)} | {
    "SPARK_CPU": "16 vCPU",
    "SPARK_MEMORY": "64 GB",
    "SPARK_DISK": "1000 GB",
    "RECONCILE_HOURS": "24",
}


def test_settings_are_the_environment_in_lower_case() -> None:
    """Each variable of the template is one field."""
    settings = Settings.read({**SETTINGS, "HOME": "/root"})
    assert (settings.warehouse_workgroup, settings.reconcile_hours) == ("warehouse_workgroup", 24)


def test_every_missing_setting_is_named_at_once() -> None:
    """A cold start with a wrong template names all that is missing; empty is missing too."""
    incomplete = {**SETTINGS, "LAKE_BUCKET": ""}
    del incomplete["RAW_BUCKET"]
    with pytest.raises(TidemarkError, match="RAW_BUCKET, LAKE_BUCKET"):
        Settings.read(incomplete)


def test_a_warehouse_needs_neither_cluster_nor_credentials() -> None:
    """A workgroup, used as the role's own database user, sets one of the four."""
    workgroup_alone = {**SETTINGS, "WAREHOUSE_CLUSTER": "", "WAREHOUSE_USER": ""}
    del workgroup_alone["WAREHOUSE_SECRET_ARN"]
    settings = Settings.read(workgroup_alone)
    assert (settings.warehouse_cluster, settings.warehouse_user, settings.warehouse_secret_arn) == ("", "", "")


def test_the_number_of_runs_follows_from_the_capacity() -> None:
    """The smallest run has a driver and an executor, so 16 vCPU hold eight."""
    assert Settings.read(SETTINGS).runs_at_once == 8


def test_a_capacity_without_room_for_one_run_is_refused() -> None:
    """No batch would ever start, and nothing else would say why."""
    with pytest.raises(TidemarkError, match="for one run at least, found 1 vCPU, 64 GB, 1000 GB"):
        Settings.read({**SETTINGS, "SPARK_CPU": "1 vCPU"})
