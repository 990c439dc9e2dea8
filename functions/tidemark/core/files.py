"""File versions, the unit of input: bucket, key and version together, never a key alone.

A key may be written again (Firehose itself does so after a partial failure). So the version-id, or the etag in a bucket
without versioning, is part of the identity, and the sequencer orders the versions of one key.
Sources: docs/aws-facts.md#firehose-rewrites-objects, docs/aws-facts.md#sequencers.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Optional

#: One ledger item holds at most 400 KB; half of it leaves room for names and numbers.
PACKED_BYTES_MAX = 200 * 1024


@dataclass(frozen=True)
class FileVersion:
    bucket: str
    key: str  # literal, never URL-encoded
    version: str  # S3 version-id, or `etag:<etag>`
    size: int  # bytes
    landed_at: Optional[str] = None  # ISO-8601 UTC, as S3 reports it; for a multipart upload, when it began
    sequencer: Optional[str] = None  # hex; orders the versions of one key; only events carry it

    @property
    def uri(self) -> str:
        """The s3:// URI of the key, without the version."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def identity(self) -> tuple[str, str, str]:
        """(bucket, key, version): equal for two notifications of the same input."""
        return (self.bucket, self.key, self.version)

    def to_json(self) -> dict[str, Any]:
        """The object that a manifest has for this file."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FileVersion:
        """The inverse of `to_json`; ignores what a newer release has added."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})


def is_newer(candidate: FileVersion, known: FileVersion) -> Optional[bool]:
    """Whether `candidate` was written after `known`, both of one key; None where only the bucket can decide.

    Sequencers are hex numbers of varying length: pad, then compare (docs/aws-facts.md#sequencers). A listing has none,
    and its times do not order versions: the time of a multipart upload is when it began.
    """
    if not (candidate.sequencer and known.sequencer):
        return None
    width = max(len(candidate.sequencer), len(known.sequencer))
    return candidate.sequencer.upper().zfill(width) > known.sequencer.upper().zfill(width)


def undecided_keys(files: Iterable[FileVersion]) -> set[tuple[str, str]]:
    """The (bucket, key) pairs with several versions, at least one of them without a sequencer to order it."""
    versions_by_key: dict[tuple[str, str], dict[str, FileVersion]] = {}
    for file in files:
        versions_by_key.setdefault((file.bucket, file.key), {})[file.version] = file
    return {
        name
        for name, versions in versions_by_key.items()
        if len(versions) > 1 and not all(file.sequencer for file in versions.values())
    }


def resolve_versions(
    files: Iterable[FileVersion], on_overwrite: str, latest: Mapping[tuple[str, str], str]
) -> tuple[list[FileVersion], list[FileVersion]]:
    """Split the files of one batch into (kept, dropped), in the order in which they first occur.

    `append` keeps every version of a key, `supersede` the latest, `ignore` the oldest; repetitions of one version count
    as one. `latest` maps each of the `undecided_keys` to the version that the bucket shows at present.
    """
    distinct = list({file.identity: file for file in files}.values())
    if on_overwrite == "append":
        return distinct, []
    chosen: dict[tuple[str, str], FileVersion] = {}
    for file in distinct:
        name = (file.bucket, file.key)
        known = chosen.get(name)
        if known is None or _is_newer(file, known, latest.get(name)) is (on_overwrite == "supersede"):
            chosen[name] = file
    kept = [file for file in distinct if chosen[(file.bucket, file.key)] is file]
    return kept, [file for file in distinct if chosen[(file.bucket, file.key)] is not file]


def _is_newer(file: FileVersion, known: FileVersion, latest: Optional[str]) -> Optional[bool]:
    return is_newer(file, known) if latest is None else file.version == latest


@dataclass(frozen=True)
class Change:
    """A change to the files of a batch that its next attempt applies: a key in another version, or removed."""

    bucket: str
    key: str
    file: Optional[FileVersion]  # the new version; None where the key is removed
    version: str = ""  # the version that is replaced or removed; "" for every version of the key

    def apply(self, files: Mapping[tuple[str, str, str], FileVersion]) -> dict[tuple[str, str, str], FileVersion]:
        """The files, by identity, with the change made."""
        replaced = (self.bucket, self.key, self.version) if self.version else (self.bucket, self.key)
        others = {identity: file for identity, file in files.items() if identity[: len(replaced)] != replaced}
        return others | ({self.file.identity: self.file} if self.file else {})


def changed_files(files: Iterable[FileVersion], changes: Iterable[Change]) -> dict[tuple[str, str, str], FileVersion]:
    """The files, by identity, after all changes in their order."""
    changed = {file.identity: file for file in files}
    for change in changes:
        changed = change.apply(changed)
    return changed


def child_share(
    files: Sequence[FileVersion], file_range: tuple[int, int], changes: Iterable[Change]
) -> tuple[list[FileVersion], list[Change]]:
    """What a child of a split batch takes over: its share of the parent's files and of the parent's changes.

    `files` are those of the parent's manifest, `file_range` the child's [from, to) among them, and `changes` those that
    the manifest does not include. A change goes with its key, or to the first child if the manifest lacks the key.
    """
    start, end = file_range
    positions = {(file.bucket, file.key): position for position, file in reversed(list(enumerate(files)))}
    inherited = [change for change in changes if start <= positions.get((change.bucket, change.key), 0) < end]
    return list(files[start:end]), inherited


def pack(files: Iterable[FileVersion]) -> bytes:
    """Compress files into one binary value for a ledger item."""
    return zlib.compress(json.dumps([list(asdict(file).values()) for file in files]).encode())


def unpack(data: bytes) -> list[FileVersion]:
    """The inverse of `pack`; ignores what a newer release has added."""
    known = len(FileVersion.__dataclass_fields__)
    return [FileVersion(*values[:known]) for values in json.loads(zlib.decompress(data))]


def parcels(files: list[FileVersion], files_max: int, bytes_max: int) -> Iterator[list[FileVersion]]:
    """Cut a list of files into lists small enough for one segment: by count, by bytes, and by packed size."""
    parcel: list[FileVersion] = []
    size = 0
    for file in files:
        if parcel and (len(parcel) >= files_max or size + file.size > bytes_max):
            yield from _halved_until_packable(parcel)
            parcel, size = [], 0
        parcel.append(file)
        size += file.size
    if parcel:
        yield from _halved_until_packable(parcel)


def _halved_until_packable(files: list[FileVersion]) -> Iterator[list[FileVersion]]:
    if len(files) == 1 or len(pack(files)) <= PACKED_BYTES_MAX:
        yield files
    else:
        half = len(files) // 2
        yield from _halved_until_packable(files[:half])
        yield from _halved_until_packable(files[half:])


@dataclass(frozen=True)
class Holder:
    """The batch that holds a key, and the version of the key that it claimed."""

    file: FileVersion
    batch_id: str
    more: Mapping[str, Any] = field(default_factory=dict, compare=False)  # what else the item has about the version


@dataclass(frozen=True)
class RefusedFile:
    """A quarantined file."""

    file: FileVersion
    batch_id: str  # the batch that goes on without it
    reason: str
    since: str  # ISO-8601


def split_uri(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` as (bucket, key)."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
