"""The identity of input: a file version is bucket + key + version, never a key alone.

A key may be written again (Firehose itself does so after a partial failure), so the version-id, or the etag on
an unversioned bucket, is part of the identity; the sequencer orders two versions of one key.
Sources: docs/aws-facts.md#firehose-rewrites-objects, docs/aws-facts.md#sequencers.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

#: One ledger item holds at most 400 KB; half of it leaves room for names and numbers.
PACKED_BYTES_MAX = 200 * 1024


@dataclass(frozen=True)
class FileVersion:
    bucket: str
    key: str  # literal, never URL-encoded
    version: str  # S3 version-id, or `etag:<etag>`
    size: int  # bytes
    landed_at: Optional[str] = None  # ISO-8601 UTC, as S3 reports it; of a multipart upload when it began
    sequencer: Optional[str] = None  # hex; orders versions of one key; only events have it

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


def is_newer(candidate: FileVersion, known: FileVersion) -> Optional[bool]:
    """Whether `candidate` was written after `known`, both of one key; None where only the bucket can tell.

    Sequencers are hex numbers of varying length: pad, then compare (docs/aws-facts.md#sequencers). A listing has none,
    and its times do not order versions: a multipart upload bears the time at which it began.
    """
    if not (candidate.sequencer and known.sequencer):
        return None
    width = max(len(candidate.sequencer), len(known.sequencer))
    return candidate.sequencer.upper().zfill(width) > known.sequencer.upper().zfill(width)


def undecided_keys(files: Iterable[FileVersion]) -> set[tuple[str, str]]:
    """The (bucket, key) of which there are several versions, and not all of them say in which order they came."""
    versions: dict[tuple[str, str], dict[str, FileVersion]] = {}
    for file in files:
        versions.setdefault((file.bucket, file.key), {})[file.version] = file
    return {name for name, found in versions.items() if len(found) > 1 and not all(f.sequencer for f in found.values())}


def resolve_versions(
    files: Iterable[FileVersion], on_overwrite: str, latest: Mapping[tuple[str, str], str]
) -> tuple[list[FileVersion], list[FileVersion]]:
    """Split the files of one batch into (kept, dropped): no version twice, and one version a key if policy says so.

    `append` keeps every version, `supersede` the latest, `ignore` the oldest. `latest` are the versions that the bucket
    shows of the `undecided_keys`. The order of first sight stays.
    """
    distinct = list({file.identity: file for file in files}.values())
    if on_overwrite == "append":
        return distinct, []
    chosen: dict[tuple[str, str], FileVersion] = {}
    for file in distinct:
        name = (file.bucket, file.key)
        known = chosen.get(name)
        if known is None or _newer(file, known, latest.get(name)) is (on_overwrite == "supersede"):
            chosen[name] = file
    kept = [file for file in distinct if chosen[(file.bucket, file.key)] is file]
    return kept, [file for file in distinct if chosen[(file.bucket, file.key)] is not file]


def _newer(file: FileVersion, known: FileVersion, latest: Optional[str]) -> Optional[bool]:
    return is_newer(file, known) if latest is None else file.version == latest


@dataclass(frozen=True)
class Change:
    """A file that the next attempt of a batch has in another version, or (None) not at all.

    `version` tells which version of the key is meant; without one the whole key is.
    """

    bucket: str
    key: str
    file: Optional[FileVersion]
    version: str = ""

    def apply(self, files: Mapping[tuple[str, str, str], FileVersion]) -> dict[tuple[str, str, str], FileVersion]:
        """The files, by identity, with the change made."""
        meant = (self.bucket, self.key, self.version) if self.version else (self.bucket, self.key)
        left = {identity: file for identity, file in files.items() if identity[: len(meant)] != meant}
        return left | ({self.file.identity: self.file} if self.file else {})


def changed_files(files: Iterable[FileVersion], changes: Iterable[Change]) -> dict[tuple[str, str, str], FileVersion]:
    """The files, by identity, with all changes made in their order."""
    held = {file.identity: file for file in files}
    for change in changes:
        held = change.apply(held)
    return held


def part_of(
    files: Sequence[FileVersion], part: tuple[int, int], changes: Iterable[Change]
) -> tuple[list[FileVersion], list[Change]]:
    """What a child takes over: its files of the parent's manifest, and the parent's changes that the manifest lacks.

    A change follows its key; one of a key that the manifest does not list goes to the first child.
    """
    first, last = part
    listed = {(file.bucket, file.key): number for number, file in reversed(list(enumerate(files)))}
    mine = [change for change in changes if first <= listed.get((change.bucket, change.key), 0) < last]
    return list(files[first:last]), mine


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


@dataclass(frozen=True)
class Holder:
    """Who holds a key at present: the version that was claimed, and the batch."""

    file: FileVersion
    batch_id: str


@dataclass(frozen=True)
class RefusedFile:
    """A file that is set aside, with the batch that went on without it."""

    file: FileVersion
    batch_id: str
    reason: str
    since: str  # ISO-8601


def split_uri(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` → (bucket, key)."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
