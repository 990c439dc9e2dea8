"""S3 as Tidemark uses it: a versioned raw bucket that tells of new objects, and buckets of small documents."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from tests.simulation.faults import refuse
from tests.simulation.job import DataStore

Call = Callable[..., Any]
PAGE = 50  #: keys and folders of a listing


@dataclass(frozen=True)
class Landed:
    """One version of a raw object, as S3 keeps it."""

    bucket: str
    key: str
    version: str
    sequencer: str
    at: datetime
    records: tuple[dict[str, Any], ...]

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes two notices the same input."""
        return (self.bucket, self.key, self.version)

    @property
    def event(self) -> dict[str, Any]:
        """EventBridge's "Object Created" (docs/aws-facts.md#s3-events); its time has no fraction of a second."""
        return {
            "version": "0", "id": f"event-{self.version}", "detail-type": "Object Created", "source": "aws.s3",
            "time": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"), "region": "us-east-1",
            "detail": {
                "bucket": {"name": self.bucket},
                "object": {"key": self.key, "size": 100 + len(self.records), "etag": self.version,
                           "version-id": self.version, "sequencer": self.sequencer},
                "reason": "PutObject",
            },
        }  # fmt: skip


class SimS3:
    def __init__(self, call: Call, now: Callable[[], datetime], data: DataStore) -> None:
        self.call, self.now = call, now
        self.data = data
        self.raw: dict[tuple[str, str, str], Landed] = {}
        self.keys: dict[tuple[str, str], list[Landed]] = {}
        self.objects: dict[tuple[str, str], bytes] = {}
        self.written = 0
        self.since = now()  # which is how old every document is said to be
        self.gone: set[tuple[str, str, str]] = set()  # versions that are deleted for good
        self.marked: set[tuple[str, str]] = set()  # keys whose latest version is a delete marker
        self.bad: set[tuple[str, str, str]] = set()  # versions that no run could read, at some time

    def land(self, bucket: str, key: str, records: tuple[dict[str, Any], ...]) -> Landed:
        """A writer puts a raw object; each put is a version of its own with a higher sequencer."""
        self.written += 1
        landed = Landed(bucket, key, f"v{self.written:05d}", f"{0xF0 + self.written:X}", self.now(), records)
        self.raw[landed.identity] = landed
        self.keys.setdefault((bucket, key), []).append(landed)
        self.marked.discard((bucket, key))
        if records and "poison" in records[0]:
            self.bad.add(landed.identity)
        return landed

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            if (Bucket, Key) not in self.objects:
                raise refuse("NoSuchKey", "GetObject")
            body = self.objects[(Bucket, Key)]
            return {"Body": io.BytesIO(body), "ETag": _etag(body)}

        return self.call("s3.GetObject", effect)

    def list_objects_v2(self, Bucket: str, Prefix: str, ContinuationToken: str = "") -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            keys = sorted(
                key
                for bucket, key in self.objects
                if bucket == Bucket and key.startswith(Prefix) and key > ContinuationToken
            )
            page, more = keys[:50], len(keys) > 50
            answer: dict[str, Any] = {"Contents": [{"Key": key, "LastModified": self.since} for key in page]}
            return answer | ({"NextContinuationToken": page[-1]} if more else {})

        return self.call("s3.ListObjectsV2", effect)

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            versions = self._versions(Bucket, Key)
            if not versions or (Bucket, Key) in self.marked:
                raise refuse("404", "HeadObject")
            return {name: versions[0][name] for name in ("VersionId", "ETag")}

        return self.call("s3.HeadObject", effect)

    def put_object(self, Bucket: str, Key: str, Body: bytes, **options: Any) -> dict[str, Any]:  # noqa: N803
        def effect() -> dict[str, Any]:
            if options.get("IfNoneMatch") == "*" and (Bucket, Key) in self.objects:
                raise refuse("PreconditionFailed", "PutObject")
            if "IfMatch" in options and options["IfMatch"] != _etag(self.objects.get((Bucket, Key), b"")):
                raise refuse("PreconditionFailed", "PutObject")
            self.objects[(Bucket, Key)] = Body
            return {"ETag": _etag(Body)}

        return self.call("s3.PutObject", effect)

    def get_paginator(self, operation: str) -> Any:
        """Of `list_objects_v2`, over Parquet files."""
        assert operation == "list_objects_v2"
        return SimpleNamespace(paginate=self._list_files)

    def _list_files(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
        start, uri = f"s3://{Bucket}/", f"s3://{Bucket}/{Prefix}"

        def effect() -> list[dict[str, Any]]:
            sizes = ((name, size) for name, (size, _) in self.data.files.items() if name not in self.data.gone)
            found = {name: size for name, size in sizes if name.startswith(uri)}
            return [{"Contents": [{"Key": name[len(start) :], "Size": size} for name, size in found.items()]}]

        return self.call("s3.ListObjectsV2", effect)  # type: ignore[no-any-return]

    def list_object_versions(
        self,
        Bucket: str,  # noqa: N803
        Prefix: str,  # noqa: N803
        KeyMarker: str = "",  # noqa: N803
        Delimiter: str = "",  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        def shown(key: str) -> str:
            """The key itself, or the folder below the prefix that it lies in."""
            name, slash, _ = key[len(Prefix) :].partition(Delimiter) if Delimiter else (key[len(Prefix) :], "", "")
            return Prefix + name + slash

        def effect() -> dict[str, Any]:
            found = {shown(key) for bucket, key, _ in self.raw if bucket == Bucket and key.startswith(Prefix)}
            after = sorted(name for name in found if name > KeyMarker)
            page, more = after[:PAGE], len(after) > PAGE
            versions = [version for name in page for version in self._versions(Bucket, name)]
            folders = [{"Prefix": name} for name in page if (Bucket, name) not in self.keys]
            answer = {"Versions": versions, "CommonPrefixes": folders}
            return answer | ({"NextKeyMarker": page[-1]} if more else {})

        return self.call("s3.ListObjectVersions", effect)

    def began(self, landed: Landed, at: datetime) -> None:
        """The version was a multipart upload: its time is that of its initiation, not of its completion."""
        self._replace(landed, replace(landed, at=at))

    def heal(self, bucket: str, key: str, records: tuple[dict[str, Any], ...], version: str = "") -> None:
        """What made a version of a key unreadable, or the first one, is gone."""
        known = self.keys[bucket, key]
        found = next((one for one in known if one.version == version), known[0])
        self._replace(found, replace(found, records=records))

    def delete(self, bucket: str, key: str) -> None:
        """The producer deletes the key: its versions stay, behind a marker."""
        self.marked.add((bucket, key))

    def expire(self, landed: Landed) -> None:
        """A rule of the bucket, or a person, deletes a version for good."""
        self.gone.add(landed.identity)
        self.bad.add(landed.identity)

    def _replace(self, landed: Landed, by: Landed) -> None:
        self.raw[landed.identity] = by
        self.keys[landed.bucket, landed.key] = [
            by if one is landed else one for one in self.keys[landed.bucket, landed.key]
        ]

    def versions(self, bucket: str, key: str) -> list[Landed]:
        """Every version of a key that is left, the latest first."""
        return [one for one in self.keys.get((bucket, key), [])[::-1] if one.identity not in self.gone]

    def _versions(self, bucket: str, key: str) -> list[dict[str, Any]]:
        found, shown = self.versions(bucket, key), (bucket, key) not in self.marked
        return [
            {"Key": one.key, "VersionId": one.version, "ETag": f'"{one.version}"', "Size": 100 + len(one.records),
             "LastModified": one.at.replace(microsecond=0), "IsLatest": shown and one is found[0]}
            for one in found
        ]  # fmt: skip


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
