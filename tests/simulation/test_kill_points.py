"""Death at every AWS call: whatever a handler was about to do, or had just done, the next look finishes it."""

from __future__ import annotations

import pytest

from tests.simulation.killpoints import day, points

#: Handlers and the writes that an eventful day must bring each of them to.
WRITES = (
    "collect dynamodb.PutItem", "plan dynamodb.TransactWriteItems", "plan dynamodb.PutItem", "plan s3.PutObject",
    "plan dynamodb.DeleteItem", "submit emr.StartJobRun", "submit dynamodb.TransactWriteItems",
    "publish glue.CreateTable", "publish glue.UpdateTable", "publish dynamodb.TransactWriteItems",
    "load dynamodb.TransactWriteItems", "load s3.PutObject", "load redshift.BatchExecuteStatement",
    "settle dynamodb.TransactWriteItems", "sweep events.PutEvents",
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "every"), [("kill_before", 1), ("kill_after", 1), ("lost_reply", 2), ("repeated", 2), ("throttle", 5)]
)
def test_one_fault_at_any_call_harms_nothing(kind: str, every: int) -> None:
    """A day with a split, a refused file and overwritten ones ends the same whichever call the fault hits."""
    found = list(points((kind,), every))
    assert len(found) >= 50
    assert not [point for point in found if point.problem]


def test_the_day_is_eventful() -> None:
    """Every handler makes every kind of write on that day, so that a death before and after it is tried."""
    simulation, problem = day({})
    assert not problem
    made = set(simulation.calls_of.values())
    assert not set(WRITES) - made
