"""Small JSON documents in S3 (manifests, job specs, results, COPY manifests), and listings of buckets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from tidemark.clock import iso
from tidemark.core.files import FileVersion

MISSING = ("NoSuchKey", "404", "NotFound")
#: 412: it is there already; 409: another conditional write is under way (docs/aws-facts.md#conditional-writes-to-s3).
TAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")

JSON = "application/json"


class Store:
    def __init__(self, client: Any) -> None:
        self.client = client

    def get(self, bucket: str, key: str) -> bytes | None:
        """Returns the object's bytes, or None if there is no object."""
        reply = self._get(bucket, key)
        return bytes(reply["Body"].read()) if reply else None

    def tagged(self, bucket: str, key: str) -> tuple[bytes, str] | None:
        """Returns the object's bytes and its etag, or None if there is no object."""
        reply = self._get(bucket, key)
        return (bytes(reply["Body"].read()), str(reply["ETag"])) if reply else None

    def _get(self, bucket: str, key: str) -> Mapping[str, Any] | None:
        try:
            return dict(self.client.get_object(Bucket=bucket, Key=key))
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise

    def versions(
        self, bucket: str, prefix: str, marker: Mapping[str, str], every: bool = False, folders: bool = False
    ) -> VersionPage:
        """Returns a page of up to 1,000 versions below the prefix, without delete markers.

        marker:  where the page begins: the `marker` of the page before it, empty for the first
        every:   lists every version instead of the latest of each key
        folders: lists the folders below the prefix instead of the versions in them
        """
        delimiter = {"Delimiter": "/"} if folders else {}
        page = self.client.list_object_versions(Bucket=bucket, Prefix=prefix, **marker, **delimiter)
        files = tuple(_listed(bucket, version) for version in page.get("Versions", ()) if every or version["IsLatest"])
        names = {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"}
        next_marker = {argument: page[result] for argument, result in names.items() if page.get(result)}
        return VersionPage(files, next_marker, tuple(below["Prefix"] for below in page.get("CommonPrefixes", ())))

    def sizes(self, bucket: str, prefix: str) -> dict[str, int]:
        """Returns key → size in bytes, for every object below the prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {listed["Key"]: listed["Size"] for page in pages for listed in page.get("Contents", ())}

    def keys(self, bucket: str, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Yields every key below the prefix with its modification time, in the order of the keys."""
        more: dict[str, str] = {}
        while True:
            page = self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
            yield from ((listed["Key"], listed["LastModified"]) for listed in page.get("Contents", ()))
            if not page.get("NextContinuationToken"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def latest_version(self, bucket: str, key: str) -> str | None:
        """Returns the identity of the key's latest version in the bucket; None if the key does not exist."""
        try:
            head = self.client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise
        return _identity(head.get("VersionId", "null"), head["ETag"])

    def put(self, bucket: str, key: str, body: str) -> None:
        """Writes a document, or overwrites it; only for documents whose repetition is identical."""
        self.client.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType=JSON)

    def put_once(self, bucket: str, key: str, body: str | bytes) -> bool:
        """Writes a document, or bytes of another kind, unless the key exists; returns whether it did.

        Closes the race between two writers: the first document stays, and the second writer gets False.
        """
        return self._put_if(bucket, key, body, IfNoneMatch="*")

    def swap(self, bucket: str, key: str, body: str, etag: str) -> bool:
        """Overwrites the object if it still has that etag; returns whether it did.

        Closes the race between two writers that have read the same object: the second gets False.
        """
        return self._put_if(bucket, key, body, IfMatch=etag)

    def _put_if(self, bucket: str, key: str, body: str | bytes, **condition: str) -> bool:
        content = {"Body": body} if isinstance(body, bytes) else {"Body": body.encode(), "ContentType": JSON}
        try:
            self.client.put_object(Bucket=bucket, Key=key, **content, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in (*TAKEN, *MISSING):
                return False
            raise
        return True


@dataclass(frozen=True)
class VersionPage:
    """One page of a bucket's listing, and where the next page begins."""

    files: tuple[FileVersion, ...]
    marker: dict[str, str]  # empty at the end
    folders: tuple[str, ...] = ()  # full prefixes, ending in a slash


def _listed(bucket: str, version: Mapping[str, Any]) -> FileVersion:
    identity = _identity(version["VersionId"], version["ETag"])
    return FileVersion(bucket, version["Key"], identity, version["Size"], iso(version["LastModified"]))


def _identity(version: str, etag: str) -> str:
    """Returns the identity that the version has in events too: its id, or its etag if it was written unversioned."""
    unquoted = etag.strip('"')
    return f"etag:{unquoted}" if version == "null" else version
