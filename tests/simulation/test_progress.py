"""Progress in fair weather: what is late is found, though nothing fails and all comes to rest in the end."""

from __future__ import annotations

from datetime import timedelta

import pytest

import tests.simulation.progress as progress_module
from tests.simulation.faults import FAIR
from tests.simulation.scenario import run, weather


def test_every_fourth_seed_has_fair_weather() -> None:
    """So that there are seeds in which nobody who is late has an excuse."""
    assert [weather(seed) == FAIR for seed in range(8)] == [False, False, False, True] * 2


def test_a_file_that_is_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that no product could keep is broken in the first seed."""
    monkeypatch.setattr(progress_module, "IN_TIME", timedelta(minutes=1))
    monkeypatch.setattr(progress_module, "AFTERMATH", timedelta(0))
    assert "not queryable after" in run(3).problem


def test_a_pass_of_reconcile_that_does_not_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for passes over the datasets."""
    monkeypatch.setattr(progress_module, "PASS_IN_TIME", timedelta(0))
    monkeypatch.setattr(progress_module, "AFTERMATH", timedelta(0))
    assert "no pass over" in run(3).problem
