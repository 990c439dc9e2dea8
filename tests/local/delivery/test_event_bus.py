"""The bus matches as EventBridge does, and its envelopes have AWS's shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.account import TemplateError
from local.delivery.event_bus import EventBus, envelope, payload, put_events
from local.stack.deployment import InputTransformer, RuleSpec, Target

TARGET = Target(arn="arn:aws:sqs:us-east-1:123456789012:q")
CREATED = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": "raw"}, "object": {"key": "in/a b.gz", "size": 5}, "tags": ["x", "y"]},
}


def rule(pattern: dict[str, Any] | None, **more: Any) -> RuleSpec:
    return RuleSpec(logical_id="R", name="r", arn="arn:rule/r", targets=(TARGET,), pattern=pattern, **more)


def delivered(rules: list[RuleSpec], *events: dict[str, Any]) -> list[str]:
    seen: list[str] = []
    bus = EventBus(rules, lambda rule, _, event: seen.append(f"{rule.name} {event['detail-type']}"))
    for event in events:
        bus.publish(event)
    return seen


def test_disabled_and_schedule_rules_receive_no_event() -> None:
    """moto fires the first and hands every event to the second."""
    rules = [
        rule({"source": ["aws.s3"]}),
        rule({"source": ["aws.s3"]}, enabled=False),
        rule(None, schedule="rate(1 day)"),
    ]
    assert delivered(rules, CREATED) == ["r Object Created"]


def test_an_envelope_has_the_recorded_shape(shared: Path) -> None:
    """The keys and fixed values of an event that AWS delivered to SQS; its time has a resolution of seconds."""
    path = shared / "data/aws_localstack_snapshots/dev/test_events_targets.snapshot.json"
    name = "tests/aws/services/events/test_events_targets.py::TestEventsTargetSqs::test_put_events_with_target_sqs"
    recorded = json.loads(path.read_text())[name]["recorded-content"]["message"][0]["Body"]
    made = envelope("core.update-account-command", "core.update-account-command", recorded["detail"])
    assert list(made) == list(recorded)
    volatile = {"id", "account", "time", "region"}
    assert {k: v for k, v in made.items() if k not in volatile} == {
        k: v for k, v in recorded.items() if k not in volatile
    }
    assert datetime.strptime(made["time"], "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 — the format is the claim


ENTRY = {"Source": "tidemark", "DetailType": "Batch Due", "Detail": '{"state": "PLANNED"}'}


def test_an_entry_becomes_an_event_with_the_answered_id() -> None:
    """Source, type, detail, resources and time are the entry's."""
    seen: list[dict[str, Any]] = []
    bus = EventBus([rule({"source": ["tidemark"]})], lambda _, __, event: seen.append(event))
    (answer,) = put_events([ENTRY | {"Resources": ["arn:x"], "Time": 1_700_000_000.0}], bus.publish)
    (event,) = seen
    assert answer == {"EventId": event["id"]}
    assert event["detail"] == {"state": "PLANNED"}
    assert (event["resources"], event["time"]) == (["arn:x"], "2023-11-14T22:13:20Z")


@pytest.mark.parametrize(
    ("change", "code", "snapshot"),
    [
        ({"Source": "aws.s3"}, "NotAuthorizedForSourceException", None),
        ({"Source": ""}, "InvalidArgument", "test_put_events_without_source"),
        ({"DetailType": ""}, "InvalidArgument", "test_put_event_without_detail_type"),
        ({"Detail": ""}, "InvalidArgument", "test_put_event_without_detail"),
        ({"Detail": "[1]"}, "MalformedDetail", "test_put_event_malformed_detail[ARRAY]"),
        ({"Detail": "{"}, "MalformedDetail", "test_put_event_malformed_detail[MALFORMED_JSON]"),
    ],
)
def test_bad_entries_are_refused_in_aws_words(
    change: dict[str, str], code: str, snapshot: str | None, shared: Path
) -> None:
    """Code and message are the recorded ones; nothing is delivered; the other entries are."""
    seen: list[dict[str, Any]] = []
    bus = EventBus([rule({"source": [{"prefix": ""}]})], lambda _, __, event: seen.append(event))
    refused, taken = put_events([ENTRY | change, ENTRY], bus.publish)
    assert refused["ErrorCode"] == code
    assert [event["id"] for event in seen] == [taken["EventId"]]
    if snapshot:
        path = shared / "data/aws_localstack_snapshots/dev/test_events.snapshot.json"
        name = f"tests/aws/services/events/test_events.py::TestEvents::{snapshot}"
        assert [refused] == json.loads(path.read_text())[name]["recorded-content"]["put-events"]["Entries"]


def test_an_event_for_an_unknown_bus_is_taken_and_dropped() -> None:
    """As recorded from AWS: an id is answered, nothing is delivered."""
    bus = EventBus([rule({"source": ["tidemark"]})], lambda *_: pytest.fail("delivered"))
    (answer,) = put_events([ENTRY | {"EventBusName": "nowhere"}], bus.publish)
    assert set(answer) == {"EventId"}


EVENT = envelope("tidemark", "Batch Due", {"batch": "b.1", "n": 3, "say": 'a "b"'}, at=datetime(2026, 1, 2, tzinfo=UTC))
PATHS = {"batch": "$.detail.batch", "n": "$.detail.n", "say": "$.detail.say", "detail": "$.detail", "no": "$.detail.no"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, EVENT),
        ({"input": '{"fixed": true}'}, {"fixed": True}),
        ({"input_path": "$.detail.batch"}, "b.1"),
        ({"transformer": '{"key": <batch>, "n": <n>}'}, {"key": "b.1", "n": 3}),
        ({"transformer": '{"text": "<batch> has <n>, says <say>"}'}, {"text": 'b.1 has 3, says a "b"'}),
        ({"transformer": '{"all": <detail>}'}, {"all": EVENT["detail"]}),
        ({"transformer": '{"rule": "<aws.events.rule-name>", "no": <no>}'}, {"rule": "r", "no": None}),
    ],
)
def test_a_target_is_handed_what_its_input_says(changes: dict[str, Any], expected: Any) -> None:
    """The event, a constant, a part, or a template filled in as JSON or, within quotes, as text."""
    if "transformer" in changes:
        changes = {"transformer": InputTransformer(PATHS, changes["transformer"])}
    assert payload(rule({}), Target(arn="arn:x", **changes), EVENT) == expected


def test_an_unknown_variable_of_a_template_is_an_error() -> None:
    """A name that no path defines is refused, not left in the text."""
    target = Target(arn="arn:x", transformer=InputTransformer({}, '{"a": <missing>}'))
    with pytest.raises(TemplateError, match="missing"):
        payload(rule({}), target, EVENT)
