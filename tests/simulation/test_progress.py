"""Progress under fair rates: lateness is found although nothing fails and everything ends at rest."""

from __future__ import annotations

from datetime import timedelta

import pytest

import tests.simulation.progress as progress_module
from tests.simulation.faults import FAIR
from tests.simulation.scenario import run, weather


def test_every_fourth_seed_has_fair_weather() -> None:
    """So there are seeds in which no fault excuses a delay."""
    assert [weather(seed) == FAIR for seed in range(8)] == [False, False, False, True] * 2


def test_a_file_that_is_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that no product could meet is exceeded in the first seed."""
    monkeypatch.setattr(progress_module, "IN_TIME", timedelta(minutes=1))
    monkeypatch.setattr(progress_module, "AFTERMATH", timedelta(0))
    assert "not queryable after" in run(3).problem


def test_only_where_all_events_are_lost_may_each_step_wait_for_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 599 needs that time: without it, a file of its quiet end is late."""
    assert not run(599).problem
    monkeypatch.setattr(progress_module, "WITHOUT_EVENTS", timedelta(0))
    assert "not queryable after" in run(599).problem


def test_a_pass_of_reconcile_that_does_not_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same holds for the bound on reconcile passes."""
    monkeypatch.setattr(progress_module, "PASS_IN_TIME", timedelta(0))
    monkeypatch.setattr(progress_module, "AFTERMATH", timedelta(0))
    assert "no pass over" in run(3).problem
