"""What settle does besides: doubles of ledger and warehouse stand in for AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tidemark.adapters.redshift import Statement
from tidemark.core.dataset import Dataset, LoadPolicy
from tidemark.core.lifecycle import Batch, State
from tidemark.core.loading import Load
from tidemark.service.settle import settle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: `web` and `ads` are of one shard, `app` of another.
DATASETS = {
    name: Dataset(name, f"{name}/", (), name, (), load=LoadPolicy(timedelta(minutes=5)))
    for name in ("web", "ads", "app")
}


def hinted(*waiting: Batch) -> list[str]:
    """The batches that are pointed at when a load of `web` ends, while these wait."""
    load = Load("load.1", NOW, (), ("web",), statement_id="s1")
    entries: list[dict[str, str]] = []

    def put_events(Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        entries.extend(Entries)
        return {"FailedEntryCount": 0}

    world: Any = SimpleNamespace(
        clock=SimpleNamespace(now=lambda: NOW),
        settings=SimpleNamespace(stack="tide"),
        datasets=DATASETS,
        map=lambda function, items, at_once: list(map(function, items)),
        ledger=SimpleNamespace(
            loads=SimpleNamespace(get=lambda load_id: load, save=lambda closed: closed),
            batches=SimpleNamespace(open=lambda name: [one for one in waiting if one.dataset == name]),
        ),
        warehouse=SimpleNamespace(
            statement=lambda statement: Statement(statement, "load.1", "FINISHED", "", "s1:1"), rows=lambda part: []
        ),
        events=SimpleNamespace(put_events=put_events),
    )
    settle(world, "load.1")
    return [json.loads(entry["Detail"])["batch_id"] for entry in entries]


def batch(name: str, minutes: float, state: State = State.PUBLISHED) -> Batch:
    """A batch that has been so for that many minutes."""
    return Batch(f"{name}.1", name, NOW, NOW - timedelta(minutes=minutes), state)


@pytest.mark.parametrize("name", ["web", "ads"])
def test_the_next_load_of_a_shard_begins_when_the_one_before_ends(name: str) -> None:
    """It does not wait for load's schedule: a batch that is due is pointed at, and load takes the rest along."""
    assert hinted(batch(name, 5), batch(name, 6)) == [f"{name}.1"]


@pytest.mark.parametrize("waiting", [batch("ads", 4), batch("app", 60), batch("ads", 60, State.RUNNING)])
def test_what_is_not_due_or_did_not_wait_for_this_load_is_not_pointed_at(waiting: Batch) -> None:
    """Another shard's loads do not depend on it, and young batches would only make loads small."""
    assert hinted(waiting) == []
