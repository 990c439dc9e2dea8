"""The pointer to a job's latest artifacts: it leads to the latest period and attempt, in whichever order they come."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import permutations

import pytest

from tests.service.nights import NightWorld
from tidemark.core.errors import Transient
from tidemark.core.job import Result
from tidemark.core.lifecycle import Batch
from tidemark.service.artifacts import point_at_artifacts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def attempt(period: str, number: int) -> tuple[Batch, Result]:
    """An attempt that has made a model."""
    batch = Batch(f"groups.{period}", "groups", NOON, NOON, attempt=number, period=period)
    return batch, Result(batch.batch_id, number, (), {}, (), artifacts={"model.json": f"s3://lake/{period}/{number}"})


def pointed(world: NightWorld) -> object:
    """What the pointer says."""
    text = world.store.get("lake", "artifacts/groups/current.json")
    return json.loads(text) if text else None


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_pointer_leads_to_the_latest_period_and_attempt(world: NightWorld, order: tuple[int, ...]) -> None:
    """An older period that is restated, or a publisher that comes late, does not turn it back."""
    attempts = [attempt("2026-02-27", 3), attempt("2026-02-28", 1), attempt("2026-02-28", 2)]
    for number in order:
        point_at_artifacts(world, *attempts[number])
    assert pointed(world) == {
        "batch_id": "groups.2026-02-28", "attempt": 2, "period": "2026-02-28",
        "artifacts": {"model.json": "s3://lake/2026-02-28/2"},
    }  # fmt: skip


def test_whoever_is_overtaken_looks_again(world: NightWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between look and swap somebody publishes a later period: the pointer stays there."""
    point_at_artifacts(world, *attempt("2026-02-26", 1))
    swap, intruders = world.store.swap, iter([attempt("2026-02-28", 1)])

    def overtaken(*arguments: str) -> bool:
        for intruder in intruders:
            point_at_artifacts(world, *intruder)
        return swap(*arguments)

    monkeypatch.setattr(world.store, "swap", overtaken)
    point_at_artifacts(world, *attempt("2026-02-27", 1))
    assert "groups.2026-02-28" in str(pointed(world))


def test_a_pointer_that_never_holds_still_is_tried_again_later(
    world: NightWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few swaps that failed, the step is left to its next repetition."""
    point_at_artifacts(world, *attempt("2026-02-26", 1))
    monkeypatch.setattr(world.store, "swap", lambda *_: False)
    with pytest.raises(Transient, match=r"artifacts/groups/current\.json was swapped 12 times"):
        point_at_artifacts(world, *attempt("2026-02-27", 1))


def test_a_job_without_artifacts_has_no_pointer(world: NightWorld) -> None:
    """Most jobs make tables alone."""
    batch, result = attempt("2026-02-28", 1)
    point_at_artifacts(world, batch, Result(result.batch_id, 1, (), {}, ()))
    assert pointed(world) is None
