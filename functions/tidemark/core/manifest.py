"""The manifest: the immutable list of the files that one attempt reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Optional, Union

from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column
from tidemark.core.files import FileVersion
from tidemark.core.periods import Period
from tidemark.core.release import check_format


@dataclass(frozen=True)
class Manifest:
    batch_id: str
    attempt: int
    dataset: str
    files: tuple[FileVersion, ...]
    changes: int = 0  # number of the batch's last change that it includes

    @property
    def total_bytes(self) -> int:
        """Total size of the files in S3."""
        return sum(file.size for file in self.files)

    def dumps(self) -> str:
        """The JSON text, with one file per line, so that a person can read and diff it."""
        lines = ",\n  ".join(json.dumps(file.to_json(), ensure_ascii=False) for file in self.files)
        head = {
            "format": 1,
            "batch_id": self.batch_id,
            "attempt": self.attempt,
            "dataset": self.dataset,
            "changes": self.changes,
            "bytes": self.total_bytes,
        }
        return f'{json.dumps(head)[:-1]}, "files": [\n  {lines}\n]}}\n'

    @classmethod
    def loads(cls, text: Union[str, bytes]) -> Manifest:
        """The inverse of `dumps`; raises `NewerRelease` if only a newer release reads it."""
        data = _decoded(text)
        files = tuple(FileVersion.from_json(file) for file in data["files"])
        return cls(data["batch_id"], data["attempt"], data["dataset"], files, data.get("changes", 0))


@dataclass(frozen=True)
class SnapshotFile:
    """A Parquet file of a lake table's snapshot; it is never overwritten, so its key identifies it."""

    bucket: str
    key: str
    size: int
    rows: int

    @property
    def uri(self) -> str:
        """The file's s3:// URI."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Input:
    """What a nightly attempt reads from one table: files of one snapshot."""

    table: str  # logical name
    kind: str
    snapshot: Optional[int]  # None if the table has no snapshot yet
    sequence: int  # the snapshot's sequence number; 0 without a snapshot
    files: tuple[SnapshotFile, ...]
    columns: tuple[Column, ...]  # as declared when the manifest was written; columns missing in older files are null
    sums: tuple[str, ...] = ()  # additive: the job sees their sums for each combination of the other columns
    day: Optional[str] = None  # the column by which rows are selected; the files may also have rows of other days
    days: Optional[tuple[date, date]] = None  # the days [from, to) that are read; None for all rows

    @property
    def rows(self) -> int:
        """Total rows of the files, including those of other days."""
        return sum(file.rows for file in self.files)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Input:
        """The value of an entry of a decoded manifest; the inverse of `dumps`."""
        days = data["days"] and (date.fromisoformat(data["days"]["from"]), date.fromisoformat(data["days"]["to"]))
        files = tuple(SnapshotFile(one["bucket"], one["key"], one["size"], one["rows"]) for one in data["files"])
        columns = tuple(Column(name, ColumnType.parse(type_)) for name, type_ in data["columns"].items())
        return cls(
            data["table"], data["kind"], data["snapshot"], data["sequence"],
            files, columns, tuple(data["sums"]), data["day"], days,
        )  # fmt: skip

    def dumps(self) -> str:
        """The JSON text, with one file per line."""
        days = self.days and {"from": self.days[0].isoformat(), "to": self.days[1].isoformat()}
        named = {"table": self.table, "kind": self.kind, "snapshot": self.snapshot, "sequence": self.sequence}
        columns = {column.name: str(column.type) for column in self.columns}
        declared = {"columns": columns, "sums": self.sums, "day": self.day}
        head = json.dumps({**named, "rows": self.rows, **declared, "days": days})
        lines = ",\n    ".join(json.dumps(asdict(file), ensure_ascii=False) for file in self.files)
        return f'{head[:-1]}, "files": [\n    {lines}]}}'


@dataclass(frozen=True)
class NightlyManifest:
    """The manifest of a nightly attempt: the snapshots that it reads, with their files."""

    batch_id: str
    attempt: int
    dataset: str
    period: Period
    inputs: tuple[Input, ...]
    changes: int = 0  # how many times the rows that the batch reads had changed when this was written

    @property
    def total_bytes(self) -> int:
        """Total size of the files in S3."""
        return sum(file.size for entry in self.inputs for file in entry.files)

    @property
    def total_files(self) -> int:
        """Number of files of all tables."""
        return sum(len(entry.files) for entry in self.inputs)

    @property
    def rows(self) -> dict[str, int]:
        """Table → rows of its files."""
        return {entry.table: entry.rows for entry in self.inputs}

    @property
    def sequences(self) -> dict[str, int]:
        """Table → sequence number of its snapshot."""
        return {entry.table: entry.sequence for entry in self.inputs}

    def dumps(self) -> str:
        """The JSON text, with one file per line."""
        period = {"every": self.period.every, "start": self.period.name, "end": self.period.end.isoformat()}
        head = {
            "format": 1,
            "batch_id": self.batch_id,
            "attempt": self.attempt,
            "dataset": self.dataset,
            "period": period,
            "changes": self.changes,
            "bytes": self.total_bytes,
        }
        lines = ",\n  ".join(entry.dumps() for entry in self.inputs)
        return f'{json.dumps(head)[:-1]}, "inputs": [\n  {lines}\n]}}\n'

    @classmethod
    def loads(cls, text: Union[str, bytes]) -> NightlyManifest:
        """The inverse of `dumps`; raises `NewerRelease` if only a newer release reads it."""
        data = _decoded(text)
        period = Period.named(data["period"]["every"], data["period"]["start"])
        inputs = tuple(Input.from_json(entry) for entry in data["inputs"])
        return cls(data["batch_id"], data["attempt"], data["dataset"], period, inputs, data.get("changes", 0))


def _decoded(text: Union[str, bytes]) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(text)
    check_format(data, "manifest.json")
    return data
