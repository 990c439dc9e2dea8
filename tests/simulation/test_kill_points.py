"""A crash at every AWS call: later invocations finish whatever the handler was about to do or had just done."""

from __future__ import annotations

import pytest

from tests.simulation.killpoints import day, points

#: Handler → the writes that it must make on the eventful days.
WRITES = (
    "collect dynamodb.PutItem", "plan dynamodb.TransactWriteItems", "plan dynamodb.PutItem", "plan s3.PutObject",
    "plan dynamodb.DeleteItem", "submit emr.StartJobRun", "submit dynamodb.TransactWriteItems",
    "publish glue.CreateTable", "publish glue.UpdateTable", "publish dynamodb.TransactWriteItems",
    "load dynamodb.TransactWriteItems", "load s3.PutObject", "load redshift.BatchExecuteStatement",
    "settle dynamodb.TransactWriteItems", "sweep events.PutEvents",
    "publish dynamodb.UpdateItem", "publish s3.PutObject",
    "nightly dynamodb.UpdateItem", "nightly dynamodb.TransactWriteItems", "nightly s3.PutObject",
)  # fmt: skip
#: CI plays one in so many of the points; the report plays all.
EVERY = {
    "files": {"kill_before": 9, "kill_after": 1, "lost_reply": 3, "repeated": 3, "throttle": 13},
    "nights": {"kill_before": 13, "kill_after": 3, "lost_reply": 4, "repeated": 4, "throttle": 20},
}


@pytest.mark.parametrize("kind", EVERY["files"])
@pytest.mark.parametrize("story", EVERY)
def test_one_fault_at_any_call_harms_nothing(story: str, kind: str) -> None:
    """A day with a split and overwritten files, or with recomputed nightly periods, keeps every promise."""
    found = list(points(story, (kind,), EVERY[story][kind]))
    assert len(found) >= 40
    assert not [point for point in found if point.problem]


def test_the_days_are_eventful() -> None:
    """Every handler makes each of its kinds of writes on these days, so a crash before and after each is tried."""
    made: set[str] = set()
    for story in EVERY:
        simulation, problem = day(story, {})
        assert not problem
        made |= set(simulation.calls_of.values())
    assert not set(WRITES) - made
