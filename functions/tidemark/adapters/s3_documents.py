"""Small JSON documents in S3: manifests, orders, results, COPY manifests."""

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


class Store:
    def __init__(self, client: Any) -> None:
        self.client = client

    def get(self, bucket: str, key: str) -> bytes | None:
        """The object's bytes, or None where there is none."""
        found = self._get(bucket, key)
        return bytes(found["Body"].read()) if found else None

    def tagged(self, bucket: str, key: str) -> tuple[bytes, str] | None:
        """The object's bytes and its etag, or None where there is none."""
        found = self._get(bucket, key)
        return (bytes(found["Body"].read()), str(found["ETag"])) if found else None

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
        """Up to 1,000 versions below the prefix: the latest of each key, or `every` one; deleted keys are left out.

        `folders`: of what lies in a folder below the prefix only the folder.
        """
        delimiter = {"Delimiter": "/"} if folders else {}
        page = self.client.list_object_versions(Bucket=bucket, Prefix=prefix, **marker, **delimiter)
        files = tuple(_listed(bucket, found) for found in page.get("Versions", ()) if every or found["IsLatest"])
        names = {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"}
        found_below = tuple(found["Prefix"] for found in page.get("CommonPrefixes", ()))
        return VersionPage(files, {our: page[their] for our, their in names.items() if page.get(their)}, found_below)

    def sizes(self, bucket: str, prefix: str) -> dict[str, int]:
        """Key → bytes of every object below the prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", ())}

    def keys(self, bucket: str, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Every key below the prefix, with the time of its object, in the order of the keys."""
        more: dict[str, str] = {}
        while True:
            page = self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
            yield from ((found["Key"], found["LastModified"]) for found in page.get("Contents", ()))
            if not page.get("NextContinuationToken"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def latest_version(self, bucket: str, key: str) -> str | None:
        """The identity of the version that the bucket shows of the key now; None where it shows none."""
        try:
            found = self.client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise
        return _identity(found.get("VersionId", "null"), found["ETag"])

    def put(self, bucket: str, key: str, body: str) -> None:
        """Write, or write again; for documents that are the same whenever they are made."""
        self.client.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json")

    def put_once(self, bucket: str, key: str, body: str) -> bool:
        """Write unless the key exists. Closes the race of two writers: the first document stands, False to the rest."""
        return self._put_if(bucket, key, body, IfNoneMatch="*")

    def swap(self, bucket: str, key: str, body: str, etag: str) -> bool:
        """Write in the place of the object of that etag. False to whoever has read an older one, or one now gone."""
        return self._put_if(bucket, key, body, IfMatch=etag)

    def _put_if(self, bucket: str, key: str, body: str, **condition: str) -> bool:
        content = {"Body": body.encode(), "ContentType": "application/json"}
        try:
            self.client.put_object(Bucket=bucket, Key=key, **content, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in (*TAKEN, *MISSING):
                return False
            raise
        return True


@dataclass(frozen=True)
class VersionPage:
    """One page of a bucket's listing: the latest version of each key, and where the next page begins."""

    files: tuple[FileVersion, ...]
    marker: dict[str, str]  # empty at the end
    folders: tuple[str, ...] = ()  # whole prefixes, with the slash


def _listed(bucket: str, found: Mapping[str, Any]) -> FileVersion:
    """A listed version, under the identity that its event would have had: `null` is an unversioned write."""
    identity = _identity(found["VersionId"], found["ETag"])
    return FileVersion(bucket, found["Key"], identity, found["Size"], iso(found["LastModified"]))


def _identity(version: str, etag: str) -> str:
    quoted = etag.strip('"')
    return f"etag:{quoted}" if version == "null" else version
