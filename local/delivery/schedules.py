"""Schedules, including those of rules: their due times and the input of their targets."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from local.clock import next_due
from local.delivery.event_bus import envelope
from local.stack.deployment import RuleSpec, ScheduleSpec

Scheduled = ScheduleSpec | RuleSpec


def due_after(spec: Scheduled, at: datetime) -> datetime | None:
    """The first time after `at` at which `spec` is due; None if never again."""
    if isinstance(spec, ScheduleSpec):
        return next_due(spec.expression, at, spec.timezone)
    return next_due(str(spec.schedule), at)


def next_due_after(spec: Scheduled, due: datetime, now: datetime) -> datetime | None:
    """The first due time after `now`, counted from `due`, so that a clock advanced far fires only once."""
    upcoming: datetime | None = due
    while upcoming is not None and upcoming <= now:
        upcoming = due_after(spec, upcoming)
    return upcoming


def schedule_input(spec: ScheduleSpec, at: datetime) -> Any:
    """The input of a schedule's target when it fires for `at`."""
    if spec.target.input is None:
        return envelope("aws.scheduler", "Scheduled Event", {}, [spec.arn], at) | {"detail": "{}"}
    text = spec.target.input
    for name, value in {
        "schedule-arn": spec.arn,
        "scheduled-time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": secrets.token_hex(8),
        "attempt-number": "1",
    }.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return json.loads(text)
