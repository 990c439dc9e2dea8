"""The library of events: whole, listed, and of the shapes that AWS was seen to send."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemark.adapters.ledger.items import batch_item, parse_batch
from tidemark.core.lifecycle import State

Json = Any
ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
FILES = sorted(EVENTS.glob("*/*.json"))
FUNCTIONS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))

# What AWS documents; versioned buckets alone have a version id.
ENVELOPE = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
DETAILS = {
    "aws.s3": {
        "version", "bucket", "object", "request-id", "requester", "source-ip-address", "reason",
    },
    "aws.emr-serverless": {
        "jobRunId", "applicationId", "arn", "releaseLabel", "state", "previousState", "createdBy", "createdAt",
        "updatedAt",
    },
    "aws.redshift-data": {
        "principal", "statementName", "statementId", "redshiftQueryId", "state", "rows", "expireAt",
    },
    "tidemark": {"batch_id", "state", "attempt", "nightly"},
}  # fmt: skip
STREAM_RECORD = {
    "eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN",
}  # fmt: skip
STREAM_IMAGE = {"ApproximateCreationDateTime", "Keys", "NewImage", "SequenceNumber", "SizeBytes", "StreamViewType"}
#: Attribute → type of the item that tells where a published batch's keys lie.
KEYS = {"pk": "S", "sk": "S", "batch_id": "S", "attempt": "N", "files": "L"}


def read(path: Path) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


def nodes(tree: Json) -> Iterator[dict[str, Json]]:
    """Every JSON object below `tree`, itself included."""
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from nodes(child)


def records(function: str, *, all_cases: bool = True) -> list[Json]:
    """The records of a function's events; without `all_cases` those of its malformed event are left out."""
    paths = [path for path in FILES if path.parent.name == function]
    return [
        record for path in paths if all_cases or path.stem != "malformed" for record in read(path).get("Records", [])
    ]


def bodies() -> list[Json]:
    """What collect's well-formed messages hold."""
    return [json.loads(record["body"]) for record in records("collect", all_cases=False)]


def envelopes() -> list[Json]:
    """Every EventBridge event in the library, those in messages included."""
    found = [node for path in FILES for node in nodes(read(path)) if "detail-type" in node]
    return found + [body for body in bodies() if "detail-type" in body]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_usual_a_duplicate_and_a_malformed_event(function: str) -> None:
    """What a function must bear is written down before it happens."""
    cases = {path.stem for path in FILES if path.parent.name == function}
    assert {"usual", "duplicate", "malformed"} - cases == set()


def test_every_event_belongs_to_a_function() -> None:
    """A directory that no function is named after is left over from a renaming."""
    assert {path.parent.name for path in FILES} - set(FUNCTIONS) == set()


def test_the_readme_lists_every_event_and_no_other() -> None:
    """Whoever looks for a case finds it in the table."""
    links = re.findall(r"\(([a-z]+/\w+\.json)\)", (EVENTS / "README.md").read_text(encoding="utf-8"))
    assert sorted(links) == [f"{path.parent.name}/{path.name}" for path in FILES]


@pytest.mark.parametrize("event", envelopes(), ids=lambda event: event["detail-type"])
def test_every_bridged_event_has_the_documented_envelope(event: Json) -> None:
    """EventBridge's nine fields, and the detail of the service that speaks; only malformed details lack fields."""
    detail = DETAILS[event["source"]]
    assert set(event) == ENVELOPE
    assert set(event["detail"]) <= detail
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", event["id"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_only_malformed_events_lack_a_documented_field(path: Path) -> None:
    """A usual event is complete, so a handler that passes its test has seen every field."""
    lacking = [
        missing
        for node in nodes(read(path))
        if "detail-type" in node and (missing := DETAILS[node["source"]] - set(node["detail"]))
    ]
    assert (lacking == []) or path.stem == "malformed"


@pytest.mark.parametrize("record", records("collect"), ids=lambda record: record["messageId"][:8])
def test_every_message_carries_the_digest_of_its_body(record: Json) -> None:
    """SQS computes it over the body's bytes; a body edited by hand shows here."""
    assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("record", records("submit") + records("nightly"), ids=lambda record: record["eventID"][:8])
def test_every_stream_record_has_the_documented_shape(record: Json) -> None:
    """A table with new images only sends keys and the new image."""
    assert set(record) == STREAM_RECORD
    assert set(record["dynamodb"]) == STREAM_IMAGE
    assert record["dynamodb"]["StreamViewType"] == "NEW_IMAGE"


@pytest.mark.parametrize("record", records("submit", all_cases=False), ids=lambda record: record["eventID"][:8])
def test_every_stream_image_is_a_batch_or_its_keys_as_the_ledger_writes_them(record: Json) -> None:
    """The images are what the ledger reads back, and what the filters let through."""
    image = record["dynamodb"]["NewImage"]
    if image["pk"]["S"].startswith("KEYS#"):
        assert {name: next(iter(value)) for name, value in image.items()} == KEYS
    else:
        assert image == batch_item(parse_batch(image))
        assert parse_batch(image).state is State.PLANNED


@pytest.mark.parametrize("record", records("nightly"), ids=lambda record: record["eventID"][:8])
def test_every_nightly_image_is_a_published_batch_of_a_period(record: Json) -> None:
    """The images are what the ledger reads back, and what the filter lets through."""
    batch = parse_batch(record["dynamodb"]["NewImage"])
    assert (batch.state, bool(batch.period)) == (State.PUBLISHED, True)


def recorded(shared: Path, name: str) -> Json:
    place = shared / "data" / "aws_localstack_snapshots" / "dev" / f"{name}.snapshot.json"
    if not place.is_file():
        pytest.skip(f"no recordings at {place}")
    return read(place)


def shape(tree: Json) -> Json:
    """The keys of a tree at every depth, without its values."""
    if isinstance(tree, dict):
        return {key: shape(value) for key, value in tree.items()}
    return [shape(tree[0])] if isinstance(tree, list) and tree else None


def test_messages_have_the_shape_of_recorded_ones(shared: Path) -> None:
    """Key for key what a real queue handed to a real function."""
    seen = [
        dict.fromkeys(node) | {"attributes": shape(node["attributes"])}
        for node in nodes(recorded(shared, "test_lambda_integration_sqs"))
        if "receiptHandle" in node and "SequenceNumber" not in node.get("attributes", {})
    ]
    ours = [dict.fromkeys(record) | {"attributes": shape(record["attributes"])} for record in records("collect")]
    assert seen
    assert [record for record in ours if record not in seen] == []


def test_object_created_has_the_shape_of_recorded_ones(shared: Path) -> None:
    """Key for key what real S3 sent through EventBridge; our bucket is versioned, so each has a version id."""
    seen = [
        shape(node)
        for node in nodes(recorded(shared, "test_s3_notifications_eventbridge"))
        if node.get("detail-type") == "Object Created"
    ]
    ours = [shape(body) for body in bodies() if body.get("source") == "aws.s3"]
    assert seen
    assert ours
    for event in ours:
        assert "version-id" in event["detail"]["object"]
        del event["detail"]["object"]["version-id"]
    for event in seen:
        event["detail"]["object"].pop("version-id", None)
    assert [event for event in ours if event not in seen] == []


def test_direct_notifications_have_the_shape_of_recorded_ones(shared: Path) -> None:
    """Key for key what real S3 sent to a function, which a test had stored in DynamoDB's typed form."""
    seen = [
        shape(plain({"M": node["M"]}))
        for node in nodes(recorded(shared, "test_s3_notifications_lambda"))
        if "eventName" in node.get("M", {})
    ]
    ours = [shape(record) for body in bodies() for record in body.get("Records", [])]
    assert seen
    assert ours
    for record in ours:
        del record["s3"]["object"]["versionId"]  # the recorded bucket had no versions
    assert [record for record in ours if record not in seen] == []


def plain(typed: dict[str, Json]) -> Json:
    """DynamoDB's typed form → plain JSON."""
    ((kind, value),) = typed.items()
    return {key: plain(child) for key, child in value.items()} if kind == "M" else value
