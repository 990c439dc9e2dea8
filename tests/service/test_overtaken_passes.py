"""A pass that slept between looking and beginning, while another has seen the period through."""

from __future__ import annotations

import pytest

from tests.service.nights import NightWorld, land, run_nights
from tidemark.service import nightly as service
from tidemark.service.nightly import due_report, nightly

FIRST, SECOND = "shop.20261119T080000.aaaaaaaa", "shop.20261121T080000.bbbbbbbb"


def test_a_pass_that_was_overtaken_computes_no_period_again(world: NightWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It found a late row; by the time it begins, the day has been computed with the row, and nothing is due."""
    land(world, FIRST, {"2026-11-20": [1]})
    nightly(world)
    run_nights(world)
    land(world, SECOND, {"2026-11-20": [2]})
    seen = due_report(world, jobs=["totals"])
    assert [found.job for found in seen.due] == ["totals"]
    nightly(world, jobs=["totals"])
    run_nights(world)
    monkeypatch.setattr(service, "due_report", lambda *_: seen)
    assert nightly(world, jobs=["totals"]) == 0
    assert run_nights(world) == []
