"""Metrics have declared names."""

from __future__ import annotations

from typing import Any

import pytest

from tidemark import observability
from tidemark.observability import COUNTS, GAUGES, count, gauge, gauge_of


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What reaches Powertools, which is switched on."""
    added: list[tuple[Any, ...]] = []
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    monkeypatch.setattr(
        observability.metrics, "add_metric", lambda name, unit, value: added.append((name, unit.value, value))
    )
    return added


def test_a_count_of_nothing_is_not_written_and_a_gauge_of_nothing_is(added: list[Any]) -> None:
    """A 0 ends an alarm on a gauge; a count is summed up."""
    count("FilesCollected", 0)
    count("FilesCollected", 2)
    gauge("Orphans", 0)
    gauge("LagSeconds", 1.5)
    assert added == [("FilesCollected", "Count", 2), ("Orphans", "Count", 0), ("LagSeconds", "Seconds", 1.5)]


@pytest.mark.parametrize("write", [count, gauge, lambda name: gauge_of("web", name, 1)])
def test_a_metric_that_is_not_declared_is_refused(added: list[Any], write: Any) -> None:
    """An alarm on a name that was mistyped would be silent for ever."""
    with pytest.raises(KeyError, match="Unknown"):
        write("Unknown") if write is not gauge else write("Unknown", 1)
    assert added == []


def test_nothing_is_written_where_metrics_are_disabled(added: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Powertools itself would write after a hundred values."""
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    count("FilesCollected")
    gauge("Orphans", 1)
    gauge_of("web", "Orphans", 1)
    assert added == []


def test_no_name_is_both_a_count_and_a_gauge() -> None:
    """They are summed up and looked at in different ways."""
    assert COUNTS
    assert GAUGES
    assert not COUNTS.keys() & GAUGES.keys()
