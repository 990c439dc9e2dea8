"""Settings come from the environment."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tidemark.core.errors import TidemarkError
from tidemark.settings import Settings

SETTINGS = {entry.name.upper(): entry.name for entry in fields(Settings)}


def test_settings_are_the_environment_in_lower_case() -> None:
    """Each variable of the template is one field."""
    assert (
        Settings.read({**SETTINGS, "RUNS_AT_ONCE": "15", "RECONCILE_HOURS": "24", "HOME": "/root"}).warehouse_workgroup
        == "warehouse_workgroup"
    )


def test_every_missing_setting_is_named_at_once() -> None:
    """A cold start with a wrong template tells all that is missing; empty is missing too."""
    incomplete = {**SETTINGS, "LAKE_BUCKET": ""}
    del incomplete["RAW_BUCKET"]
    with pytest.raises(TidemarkError, match="RAW_BUCKET, LAKE_BUCKET"):
        Settings.read(incomplete)
