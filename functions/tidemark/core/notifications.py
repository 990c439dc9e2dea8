"""What S3 says about a new object, in either of its two dialects, as file versions. Pure.

EventBridge's "Object Created" carries the key literally; the direct notification URL-encodes it, and comes with a
test message of another shape (docs/aws-facts.md#s3-events). Powertools' data class for the first decodes what is not
encoded (docs/aws-facts.md#keys-in-s3-events), so the events are read without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from tidemark.core.files import FileVersion


def parse_notification(body: Mapping[str, Any]) -> list[FileVersion]:
    """The created objects that a message tells of; none for S3's test message and for deletions.

    Raises `ValueError` for a message that is neither dialect.
    """
    try:
        if body.get("Event") == "s3:TestEvent":
            return []
        if body.get("source") == "aws.s3":
            return [_bridged(body)] if body["detail-type"] == "Object Created" else []
        created = (record for record in body["Records"] if record["eventName"].startswith("ObjectCreated:"))
        return [_direct(record) for record in created]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"expected an S3 notification, found a message without {error}") from error


def _bridged(event: Mapping[str, Any]) -> FileVersion:
    found = event["detail"]["object"]
    return FileVersion(
        bucket=event["detail"]["bucket"]["name"],
        key=found["key"],
        version=_identity(found.get("version-id"), found["etag"]),
        size=int(found["size"]),
        landed_at=event["time"],
        sequencer=found.get("sequencer"),
    )


def _direct(record: Mapping[str, Any]) -> FileVersion:
    found = record["s3"]["object"]
    return FileVersion(
        bucket=record["s3"]["bucket"]["name"],
        key=unquote_plus(found["key"]),
        version=_identity(found.get("versionId"), found["eTag"]),
        size=int(found["size"]),
        landed_at=record["eventTime"],
        sequencer=found.get("sequencer"),
    )


def _identity(version_id: str | None, etag: str) -> str:
    """The version-id; where versioning is off or suspended (`null`) the etag tells two writes apart."""
    return version_id if version_id and version_id != "null" else f"etag:{etag}"
