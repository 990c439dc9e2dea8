"""The default event bus: event envelopes as AWS formats them, rule matching, and the input of targets."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.account import ACCOUNT, REGION, TemplateError
from local.stack.deployment import RuleSpec, Target
from local.stack.event_pattern import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Event = dict[str, Any]


def envelope(
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    resources: Iterable[str] = (),
    at: datetime | None = None,
) -> Event:
    """An event as EventBridge delivers it; `at` defaults to now and has a resolution of one second."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": list(resources),
        "detail": dict(detail),
    }


class EventBus:
    """Matches events against the enabled rules and calls `deliver(rule, target, event)` for each match."""

    def __init__(self, rules: Sequence[RuleSpec], deliver: Callable[[RuleSpec, Target, Event], None]) -> None:
        self._deliver = deliver
        self._rules = [
            (rule, Pattern.parse(json.dumps(rule.pattern))) for rule in rules if rule.enabled and rule.pattern
        ]

    def publish(self, event: Event) -> None:
        for rule, pattern in self._rules:
            if pattern.matches(event):
                for target in rule.targets:
                    self._deliver(rule, target, event)


def put_events(entries: Sequence[Mapping[str, Any]], publish: Callable[[Event], None]) -> list[dict[str, str]]:
    """One result per entry: `EventId`, or `ErrorCode` and `ErrorMessage` as AWS words them."""
    return [_put(entry, publish) for entry in entries]


def _put(entry: Mapping[str, Any], publish: Callable[[Event], None]) -> dict[str, str]:
    if refusal := _refusal(entry):
        return {"ErrorCode": refusal[0], "ErrorMessage": refusal[1]}
    at = datetime.fromtimestamp(entry["Time"], UTC) if "Time" in entry else None
    detail = json.loads(entry["Detail"])
    event = envelope(entry["Source"], entry["DetailType"], detail, entry.get("Resources", ()), at)
    # AWS accepts an event for a bus that does not exist, and drops it.
    if entry.get("EventBusName", "default").split("/")[-1] == "default":
        publish(event)
    return {"EventId": event["id"]}


def _refusal(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
    if entry["Source"].startswith("aws."):
        return "NotAuthorizedForSourceException", "Not authorized for the source."
    if not _is_json_object(entry["Detail"]):
        return "MalformedDetail", "Detail is malformed."
    return None


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def payload(rule: RuleSpec, target: Target, event: Event) -> Any:
    """The input that a rule's target receives for `event`: the event, a part of it, or a transformed text."""
    if target.input is not None:
        return json.loads(target.input)
    if target.input_path is not None:
        return _at_path(event, target.input_path)
    if target.transformer is not None:
        return _transform(rule, target, event)
    return event


def _transform(rule: RuleSpec, target: Target, event: Event) -> Any:
    assert target.transformer is not None
    values = {name: _at_path(event, path) for name, path in target.transformer.paths.items()}
    values |= {"aws.events.rule-arn": rule.arn, "aws.events.rule-name": rule.name}
    values |= {"aws.events.event.ingestion-time": event["time"], "aws.events.event.json": event}
    text = _fill(target.transformer.template, values)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _fill(template: str, values: Mapping[str, Any]) -> str:
    """`template` with each <name> replaced by its value, as JSON or, inside quotes, as bare text."""
    filled, quoted = [], False
    for part in re.split(r"(<[\w.\-]+>|(?<!\\)\")", template):
        quoted ^= part == '"'
        name = part[1:-1]
        if part.startswith("<") and name not in values:
            raise TemplateError(f"InputTemplate: <{name}> is not supported by the laptop cloud")
        filled.append(_as_text(values[name], quoted=quoted) if part.startswith("<") else part)
    return "".join(filled)


def _as_text(value: Any, *, quoted: bool) -> str:
    if quoted and isinstance(value, str):
        return json.dumps(value)[1:-1]
    return json.dumps(value).replace('"', '\\"') if quoted else json.dumps(value)


def _at_path(event: Event, path: str) -> Any:
    if not re.fullmatch(r"\$(\.[\w\-]+)*", path):
        raise TemplateError(f"JSONPath {path!r} is not supported by the laptop cloud")
    value: Any = event
    for name in path.split(".")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return value
