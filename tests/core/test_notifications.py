from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tidemark.core.files import FileVersion
from tidemark.core.notifications import parse_notification

BRIDGED: dict[str, Any] = {
    "detail-type": "Object Created",
    "source": "aws.s3",
    "time": "2026-03-01T12:00:00Z",
    "detail": {
        "bucket": {"name": "raw"},
        "object": {"key": "web/a+b%20c.json", "size": 5, "etag": "e1", "version-id": "v1", "sequencer": "0A"},
    },
}
DIRECT: dict[str, Any] = {
    "Records": [
        {
            "eventName": "ObjectCreated:Put",
            "eventTime": "2026-03-01T12:00:00.000Z",
            "s3": {
                "bucket": {"name": "raw"},
                "object": {"key": "web/a+b%20c%2B.json", "size": 5, "eTag": "e1", "versionId": "v1", "sequencer": "0A"},
            },
        }
    ]
}


def bridged(**fields: Any) -> dict[str, Any]:
    """The EventBridge form, with other fields of the object; None takes one out."""
    event = deepcopy(BRIDGED)
    merged = {**event["detail"]["object"], **fields}
    event["detail"]["object"] = {name: value for name, value in merged.items() if value is not None}
    return event


def direct(name: str = "ObjectCreated:Put", **fields: Any) -> dict[str, Any]:
    """The direct form, likewise."""
    message = deepcopy(DIRECT)
    record = message["Records"][0]
    record["eventName"] = name
    merged = {**record["s3"]["object"], **fields}
    record["s3"]["object"] = {name: value for name, value in merged.items() if value is not None}
    return message


def test_eventbridge_names_keys_literally() -> None:
    """`+` and `%20` are part of the key."""
    assert parse_notification(BRIDGED) == [
        FileVersion("raw", "web/a+b%20c.json", "v1", 5, "2026-03-01T12:00:00Z", "0A")
    ]


def test_the_direct_notification_encodes_keys() -> None:
    """`+` and `%20` are blanks, `%2B` is the plus."""
    assert parse_notification(DIRECT) == [
        FileVersion("raw", "web/a b c+.json", "v1", 5, "2026-03-01T12:00:00.000Z", "0A")
    ]


@pytest.mark.parametrize(
    "message", [bridged(**{"version-id": None}), bridged(**{"version-id": ""}), direct(versionId=None)]
)
def test_without_versions_the_etag_identifies(message: dict[str, Any]) -> None:
    """An unversioned bucket still tells two contents of one key apart."""
    assert parse_notification(message)[0].version == "etag:e1"


def test_a_sequencer_may_be_missing() -> None:
    """Whoever replays events by hand need not know it."""
    assert parse_notification(bridged(sequencer=None))[0].sequencer is None


@pytest.mark.parametrize(
    "message",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "raw"},
        {**BRIDGED, "detail-type": "Object Deleted"},
        direct("ObjectRemoved:Delete"),
        {"Records": []},
    ],
    ids=["test event", "deleted, bridged", "removed, direct", "no records"],
)
def test_what_creates_nothing_is_no_file(message: dict[str, Any]) -> None:
    """S3's test message and deletions are understood, and are nothing to do."""
    assert parse_notification(message) == []


def test_one_message_may_tell_of_several_files() -> None:
    """The direct form carries a list; deletions in it are passed over."""
    records = [*direct()["Records"], *direct("ObjectRemoved:Delete")["Records"], *direct(key="b")["Records"]]
    assert [file.key for file in parse_notification({"Records": records})] == ["web/a b c+.json", "b"]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"Records": None},
        {"Records": [{}]},
        {"Records": ["x"]},
        {"source": "aws.s3"},
        {**BRIDGED, "detail": {}},
        {**BRIDGED, "detail": None},
        bridged(key=None),
        bridged(size="large"),
        bridged(**{"etag": None, "version-id": None}),
        direct(size=None),
        [],
        "text",
        None,
    ],
    ids=str,
)
def test_anything_else_is_refused(message: Any) -> None:
    """A message of neither dialect raises one kind of error, so that it goes to the dead letters by itself."""
    with pytest.raises(ValueError, match=r"expected|invalid literal"):
        parse_notification(message)
