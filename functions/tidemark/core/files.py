"""The identity of input: a file version is bucket + key + version, never a key alone.

A key may be written again (Firehose itself does so after a partial failure), so the version-id, or the etag on
an unversioned bucket, is part of the identity; the sequencer orders two versions of one key.
Source: aws-facts §1.3, §3.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Optional

#: One ledger item holds at most 400 KB; half of it leaves room for names and numbers.
PACKED_BYTES_MAX = 200 * 1024
SECOND = len("2026-11-21T08:28:43")  # events and listings differ in what follows


@dataclass(frozen=True)
class FileVersion:
    bucket: str
    key: str  # literal, never URL-encoded
    version: str  # S3 version-id, or `etag:<etag>`
    size: int  # bytes
    landed_at: Optional[str] = None  # ISO-8601 UTC, as S3 reports it
    sequencer: Optional[str] = None  # hex; orders versions of one key

    @property
    def uri(self) -> str:
        """The s3:// name of the key, without the version."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes two notices the same input."""
        return (self.bucket, self.key, self.version)

    def to_json(self) -> dict[str, Any]:
        """The manifest's form."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FileVersion:
        """The manifest's form, back."""
        return cls(**data)


def is_newer(candidate: FileVersion, known: FileVersion) -> bool:
    """Whether `candidate` was written after `known`, both of one key.

    Sequencers are hex numbers of varying length: pad, then compare (aws-facts §1.3). Without both, the second of
    landing decides; within one second, what a listing shows (it has no sequencer) is the newer, for a listing shows
    the newest. When nothing tells, the one that is seen later is taken as the newer.
    """
    if candidate.sequencer and known.sequencer:
        width = max(len(candidate.sequencer), len(known.sequencer))
        return candidate.sequencer.upper().zfill(width) > known.sequencer.upper().zfill(width)
    if candidate.landed_at and known.landed_at:
        ours, theirs = candidate.landed_at[:SECOND], known.landed_at[:SECOND]
        return ours > theirs if ours != theirs else not candidate.sequencer
    return True


def settle_versions(files: Iterable[FileVersion], on_overwrite: str) -> tuple[list[FileVersion], list[FileVersion]]:
    """Split the files of one batch into (kept, dropped): no version twice, and one version a key if policy says so.

    `append` keeps every version, `supersede` the newest, `ignore` the oldest. The order of first sight stays.
    """
    distinct = list({file.identity: file for file in files}.values())
    if on_overwrite == "append":
        return distinct, []
    chosen: dict[tuple[str, str], FileVersion] = {}
    for file in distinct:
        known = chosen.get((file.bucket, file.key))
        if known is None or is_newer(file, known) == (on_overwrite == "supersede"):
            chosen[(file.bucket, file.key)] = file
    kept = [file for file in distinct if chosen[(file.bucket, file.key)] is file]
    return kept, [file for file in distinct if chosen[(file.bucket, file.key)] is not file]


def pack(files: Iterable[FileVersion]) -> bytes:
    """Files as one compressed value for a ledger item."""
    return zlib.compress(json.dumps([list(asdict(file).values()) for file in files]).encode())


def unpack(data: bytes) -> list[FileVersion]:
    """The inverse of `pack`."""
    return [FileVersion(*values) for values in json.loads(zlib.decompress(data))]


def parcels(files: list[FileVersion], files_max: int, bytes_max: int) -> Iterator[list[FileVersion]]:
    """Cut a list of files into lists small enough for one segment: by count, by bytes, and by packed size."""
    parcel: list[FileVersion] = []
    held = 0
    for file in files:
        if parcel and (len(parcel) >= files_max or held + file.size > bytes_max):
            yield from _fitting(parcel)
            parcel, held = [], 0
        parcel.append(file)
        held += file.size
    if parcel:
        yield from _fitting(parcel)


def _fitting(files: list[FileVersion]) -> Iterator[list[FileVersion]]:
    if len(files) == 1 or len(pack(files)) <= PACKED_BYTES_MAX:
        yield files
    else:
        half = len(files) // 2
        yield from _fitting(files[:half])
        yield from _fitting(files[half:])
