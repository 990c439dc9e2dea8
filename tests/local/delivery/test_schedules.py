"""When schedules fire, and what they send."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from local.clock import Clock
from local.stack.deployment import Target
from tests.local.delivery.conftest import Stage, function, rule, schedule


def test_a_schedule_fires_when_the_clock_is_turned(stage: Stage) -> None:
    """rate(5 minutes) fires once when it becomes due, with the time that it was due at."""
    clock = Clock()
    dispatcher = stage.run(clock=clock, schedules=(schedule("rate(5 minutes)"),))
    time.sleep(0.3)
    assert stage.invoked == []
    started = clock.now()
    clock.advance(301)
    deadline = time.monotonic() + 5
    while not stage.invoked and time.monotonic() < deadline:
        time.sleep(0.02)
    dispatcher.wait_idle(5)
    ((_, event),) = stage.invoked
    assert event["try"] == "1"
    due = datetime.fromisoformat(event["at"])
    assert timedelta(seconds=290) < due - started < timedelta(seconds=301)


def test_speed_divides_the_period(stage: Stage) -> None:
    """rate(1 minute) at speed 300 fires every 0.2 seconds."""
    dispatcher = stage.run(clock=Clock(speed=300), schedules=(schedule("rate(1 minute)"),))
    time.sleep(1.1)
    dispatcher.halt()
    assert 3 <= len(stage.invoked) <= 6


def test_a_schedule_can_be_fired_by_hand(stage: Stage) -> None:
    """`fire` works even without automatic schedules; the error for an unknown name lists the known ones."""
    dispatcher = stage.run(
        schedules=(schedule("cron(0 3 * * ? *)"), replace(schedule("rate(1 day)"), logical_id="Other"))
    )
    dispatcher.fire("Tick")
    dispatcher.wait_idle(5)
    assert [name for name, _ in stage.invoked] == ["F"]
    with pytest.raises(KeyError, match="'Tick', 'Other'"):
        dispatcher.fire("Tock")


def test_a_rule_with_a_schedule_fires_too(stage: Stage) -> None:
    """Its targets are handed a Scheduled Event of aws.events, and no other event."""
    target = Target(function("F").arn)
    dispatcher = stage.run(clock=Clock(speed=300), rules=(rule(None, target, schedule="rate(1 minute)"),))
    dispatcher.publish("aws.x", "Something", {})
    time.sleep(0.5)
    dispatcher.halt()
    assert {(event["source"], event["detail-type"]) for _, event in stage.invoked} == {
        ("aws.events", "Scheduled Event")
    }


def test_a_schedule_without_input_sends_the_default_event(stage: Stage) -> None:
    """What EventBridge Scheduler sends then: a Scheduled Event of aws.scheduler."""
    spec = replace(schedule("rate(1 day)"), target=Target(function("F").arn))
    dispatcher = stage.run(schedules=(spec,))
    dispatcher.fire("Tick")
    dispatcher.wait_idle(5)
    ((_, event),) = stage.invoked
    assert (event["source"], event["detail-type"], event["resources"]) == (
        "aws.scheduler",
        "Scheduled Event",
        [spec.arn],
    )


def test_a_schedule_whose_role_may_not_invoke_its_target_sends_dead_letters(stage: Stage) -> None:
    """The role is asked for each invocation, and then for the dead-letter queue of the target."""
    dead = stage.queue("-dead")
    asked: list[tuple[str, str, str]] = []

    def require(*wanted: str) -> None:
        asked.append(wanted)
        if wanted[1] == "lambda:InvokeFunction":
            raise PermissionError("not authorized")

    plain = schedule("rate(1 day)")
    target = replace(plain.target, role_arn="arn:role", dead_letters=dead)
    dispatcher = stage.run(schedules=(replace(plain, target=target),), require=require)
    dispatcher.fire("Tick")
    dispatcher.wait_idle(5)
    assert stage.invoked == []
    assert len(stage.messages(dead)) == 1
    assert asked == [("arn:role", "lambda:InvokeFunction", target.arn), ("arn:role", "sqs:SendMessage", dead)]
