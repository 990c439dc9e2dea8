"""Parses S3's notifications of new objects, in both of their formats, into file versions. Pure.

EventBridge's "Object Created" event has the literal key. A direct notification URL-encodes the key, and S3 also sends a
test message in another format (docs/aws-facts.md#s3-events). Powertools' data class for the first decodes what is not
encoded (docs/aws-facts.md#keys-in-s3-events), so the events are read without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from tidemark.core.files import FileVersion


def parse_notification(body: Mapping[str, Any]) -> list[FileVersion]:
    """The created objects in a message; none for S3's test message and for deletions.

    Raises `ValueError` for a message in neither format.
    """
    try:
        if body.get("Event") == "s3:TestEvent":
            return []
        if body.get("source") == "aws.s3":
            return [_from_eventbridge(body)] if body["detail-type"] == "Object Created" else []
        created = (record for record in body["Records"] if record["eventName"].startswith("ObjectCreated:"))
        return [_from_direct(record) for record in created]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"expected an S3 notification, found a message without {error}") from error


def _from_eventbridge(event: Mapping[str, Any]) -> FileVersion:
    s3_object = event["detail"]["object"]
    return FileVersion(
        bucket=event["detail"]["bucket"]["name"],
        key=s3_object["key"],
        version=_version(s3_object.get("version-id"), s3_object["etag"]),
        size=int(s3_object["size"]),
        landed_at=event["time"],
        sequencer=s3_object.get("sequencer"),
    )


def _from_direct(record: Mapping[str, Any]) -> FileVersion:
    s3_object = record["s3"]["object"]
    return FileVersion(
        bucket=record["s3"]["bucket"]["name"],
        key=unquote_plus(s3_object["key"]),
        version=_version(s3_object.get("versionId"), s3_object["eTag"]),
        size=int(s3_object["size"]),
        landed_at=record["eventTime"],
        sequencer=s3_object.get("sequencer"),
    )


def _version(version_id: str | None, etag: str) -> str:
    """The version-id; the etag where versioning is off or suspended (`null`), to distinguish two writes."""
    return version_id if version_id and version_id != "null" else f"etag:{etag}"
