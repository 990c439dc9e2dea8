"""Progress under fair rates: lateness is found although nothing fails and everything ends at rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

import tests.simulation.progress as progress_module
from tests.simulation.faults import FAIR
from tests.simulation.progress import IN_TIME, PASS_IN_TIME, WITHOUT_EVENTS, Progress
from tests.simulation.s3 import Landed
from tests.simulation.scenario import run, weather
from tests.simulation.simulation import Simulation
from tests.simulation.violation import Violation

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def one_landed_file(events_lost: bool) -> SimpleNamespace:
    """A simulation as far as `Progress` looks at it: one file has just landed, and there was no outage."""
    landed = Landed("raw", "web-logs/a.json", "v1", "1", BEGAN, ())
    return SimpleNamespace(
        stage=SimpleNamespace(time=BEGAN, epoch=BEGAN),
        settings={"web-logs": None},
        dynamodb=SimpleNamespace(items={}),
        landed=[landed],
        s3=SimpleNamespace(keys={(landed.bucket, landed.key): [landed]}),
        outages=SimpleNamespace(seconds_since=lambda _: 0),
        events_lost=events_lost,
    )


def test_every_fourth_seed_has_fair_weather() -> None:
    """So there are seeds in which no fault excuses a delay."""
    assert [weather(seed) == FAIR for seed in range(8)] == [False, False, False, True] * 2


def test_a_file_that_is_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that no product could meet is exceeded in the first seed."""
    monkeypatch.setattr(progress_module, "IN_TIME", timedelta(minutes=1))
    monkeypatch.setattr(progress_module, "AFTERMATH", timedelta(0))
    assert "not queryable after" in run(3).problem


@pytest.mark.parametrize(("events_lost", "allowed"), [(False, IN_TIME), (True, IN_TIME + WITHOUT_EVENTS)])
def test_only_where_all_events_are_lost_may_each_step_wait_for_a_sweep(events_lost: bool, allowed: timedelta) -> None:
    """A file is late one second after that time, and not before."""
    sim = one_landed_file(events_lost)
    progress = Progress(cast(Simulation, sim))
    progress.check(lambda _: False)
    sim.stage.time += allowed
    progress.check(lambda _: False)
    sim.stage.time += timedelta(seconds=1)
    with pytest.raises(Violation, match="not queryable after"):
        progress.check(lambda _: False)


def test_a_pass_of_reconcile_that_does_not_end_is_found() -> None:
    """A dataset that no pass has ever finished is late one second after the bound, and not before."""
    sim = one_landed_file(events_lost=False)
    progress = Progress(cast(Simulation, sim))
    sim.stage.time += PASS_IN_TIME
    progress.check_passes()
    sim.stage.time += timedelta(seconds=1)
    with pytest.raises(Violation, match="no pass over web-logs"):
        progress.check_passes()
