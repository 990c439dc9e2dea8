"""The manifest: the immutable list of what one attempt reads. What is not in it is not in the batch."""

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


@dataclass(frozen=True)
class Manifest:
    batch_id: str
    attempt: int
    dataset: str
    files: tuple[FileVersion, ...]
    changes: int = 0  # how many of the batch's changes are in it

    @property
    def total_bytes(self) -> int:
        """Sum of the files' sizes as they lie in S3."""
        return sum(file.size for file in self.files)

    def dumps(self) -> str:
        """JSON, one file a line, so that a person can read and diff it."""
        lines = ",\n  ".join(json.dumps(file.to_json(), ensure_ascii=False) for file in self.files)
        head = {
            "batch_id": self.batch_id,
            "attempt": self.attempt,
            "dataset": self.dataset,
            "changes": self.changes,
            "bytes": self.total_bytes,
        }
        return f'{json.dumps(head)[:-1]}, "files": [\n  {lines}\n]}}\n'

    @classmethod
    def loads(cls, text: Union[str, bytes]) -> Manifest:
        """The inverse of `dumps`."""
        data = json.loads(text)
        files = tuple(FileVersion.from_json(file) for file in data["files"])
        return cls(data["batch_id"], data["attempt"], data["dataset"], files, data.get("changes", 0))


@dataclass(frozen=True)
class PinnedFile:
    """A Parquet file of a lake table; written once, so its key says it all."""

    bucket: str
    key: str
    size: int
    rows: int

    @property
    def uri(self) -> str:
        """The s3:// name."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Input:
    """What a nightly attempt reads of one table: the files of one snapshot."""

    table: str  # logical name
    kind: str
    snapshot: Optional[int]  # None: the table has none yet
    sequence: int  # of the snapshot; 0 without one
    files: tuple[PinnedFile, ...]
    columns: tuple[Column, ...]  # as declared when it was pinned: what an older file lacks is null
    sums: tuple[str, ...] = ()  # additive: the job sees one row for each value of the other columns
    day: Optional[str] = None  # the column by which rows are chosen; the files may hold rows of other days as well
    days: Optional[tuple[date, date]] = None  # from the first to before the second; None: all rows

    @property
    def rows(self) -> int:
        """Rows of the files, before any are left out by day."""
        return sum(file.rows for file in self.files)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Input:
        """The manifest's form, back."""
        days = data["days"] and (date.fromisoformat(data["days"]["from"]), date.fromisoformat(data["days"]["to"]))
        files = tuple(PinnedFile(**file) for file in data["files"])
        columns = tuple(Column(name, ColumnType.parse(type_)) for name, type_ in data["columns"].items())
        return cls(
            data["table"], data["kind"], data["snapshot"], data["sequence"],
            files, columns, tuple(data["sums"]), data["day"], days,
        )  # fmt: skip

    def dumps(self) -> str:
        """JSON, one file a line."""
        days = self.days and {"from": self.days[0].isoformat(), "to": self.days[1].isoformat()}
        named = {"table": self.table, "kind": self.kind, "snapshot": self.snapshot, "sequence": self.sequence}
        columns = {column.name: str(column.type) for column in self.columns}
        declared = {"columns": columns, "sums": self.sums, "day": self.day}
        head = json.dumps({**named, "rows": self.rows, **declared, "days": days})
        lines = ",\n    ".join(json.dumps(asdict(file), ensure_ascii=False) for file in self.files)
        return f'{head[:-1]}, "files": [\n    {lines}]}}'


@dataclass(frozen=True)
class NightlyManifest:
    """The snapshots, and of these the files, that a nightly attempt reads."""

    batch_id: str
    attempt: int
    dataset: str
    period: Period
    inputs: tuple[Input, ...]
    changes: int = 0  # how many times before rows that it reads were seen to have changed

    @property
    def total_bytes(self) -> int:
        """Sum of the files' sizes as they lie in S3."""
        return sum(file.size for entry in self.inputs for file in entry.files)

    @property
    def total_files(self) -> int:
        """Number of files, over all tables."""
        return sum(len(entry.files) for entry in self.inputs)

    @property
    def rows(self) -> dict[str, int]:
        """Rows per table, as its files hold them."""
        return {entry.table: entry.rows for entry in self.inputs}

    @property
    def sequences(self) -> dict[str, int]:
        """The sequence number of each table's snapshot."""
        return {entry.table: entry.sequence for entry in self.inputs}

    def dumps(self) -> str:
        """JSON, one file a line."""
        period = {"every": self.period.every, "start": self.period.name, "end": self.period.end.isoformat()}
        head = {
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
        """The inverse of `dumps`."""
        data = json.loads(text)
        period = Period.named(data["period"]["every"], data["period"]["start"])
        inputs = tuple(Input.from_json(entry) for entry in data["inputs"])
        return cls(data["batch_id"], data["attempt"], data["dataset"], period, inputs, data.get("changes", 0))
