"""What Lambda and Spark tell each other. Each document is written and read here, and nowhere else.

    job_spec.json    JobSpec         submit → job     the declaration, the files to read, and the prefix to write below
    result.json      Result          job → publish    what became of every file, and every file that was written
    failure.json     RunFailure      job → publish    why there is no result
    rejected/*.json  RejectedRecord  job → operator   one line of JSON for each rejected record

`docs/architecture.md` shows the three documents, and `docs/add-a-dataset.md` a rejected record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Optional, Union

from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.files import FileVersion

#: Names of the documents below the prefix of an attempt.
JOB_SPEC, RESULT, FAILURE = "job_spec.json", "result.json", "failure.json"
#: Characters of a failure's message that are kept: the ledger's items are small.
REASON_MAX = 2_000

Text = Union[str, bytes]


@dataclass(frozen=True)
class DataFile:
    """A file that a job wrote."""

    uri: str
    rows: int
    bytes: int


#: The files of one table, or of one kind.
DataFiles = tuple[DataFile, ...]


def rows_of(files: Sequence[DataFile]) -> int:
    """Rows of all the files."""
    return sum(file.rows for file in files)


@dataclass(frozen=True)
class JobSpec:
    """All that the job of one attempt needs to know."""

    batch_id: str
    attempt: int
    dataset: Dataset
    manifest: str  # s3:// URI
    output: str  # s3:// prefix of this attempt alone, ending in /
    seen: Optional[DataFiles] = None  # key files of other batches; None where keys are not remembered

    def dumps(self) -> str:
        """The text of job_spec.json."""
        document: dict[str, Any] = {
            "batch_id": self.batch_id,
            "attempt": self.attempt,
            "dataset": self.dataset.declared,
            "manifest": self.manifest,
            "output": self.output,
        }
        if self.seen is not None:
            document["seen"] = [asdict(file) for file in self.seen]
        return json.dumps(document, indent=1, default=str)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> JobSpec:
        """Parsed job_spec.json → value; `DeclarationError` where the declaration is none."""
        dataset, output = parse_dataset(document["dataset"]), document["output"].rstrip("/") + "/"
        seen = tuple(DataFile(**file) for file in document["seen"]) if "seen" in document else None
        return cls(document["batch_id"], document["attempt"], dataset, document["manifest"], output, seen)

    @classmethod
    def loads(cls, text: Text) -> JobSpec:
        """The inverse of `dumps`."""
        return cls.parse(json.loads(text))


class Rejected(NamedTuple):
    """Where in its file a rejected record stands, and why it is rejected."""

    position: int  # byte offset in the decompressed content
    line: int  # from 1
    reason: str
    raw: str  # the beginning of the record, as far as it is kept


#: Keys of a rejected record's line that say which file version it comes from; those of `Rejected` follow.
REJECTED_FROM = ("file", "version")


@dataclass(frozen=True)
class RejectedRecord:
    """A rejected record as it is reported."""

    file: str  # s3:// URI
    version: str
    rejected: Rejected

    @classmethod
    def loads(cls, line: Text) -> RejectedRecord:
        """A line of rejected/*.json → value."""
        fields = json.loads(line)
        file, version = (fields.pop(key) for key in REJECTED_FROM)
        return cls(file, version, Rejected(**fields))


@dataclass(frozen=True)
class FileCount:
    """What became of one input file's records."""

    identity: tuple[str, str, str]
    read: int
    kept: int
    rejected: int
    duplicate_records: int
    problem: Optional[str] = None  # why the file could not be read to its end

    @property
    def uri(self) -> str:
        """The s3:// name of the file."""
        return f"s3://{self.identity[0]}/{self.identity[1]}"

    def to_json(self) -> dict[str, Any]:
        """The form of result.json."""
        return {
            **dict(zip(("bucket", "key", "version"), self.identity)),
            "read": self.read,
            "kept": self.kept,
            "rejected": self.rejected,
            "duplicate_records": self.duplicate_records,
            "problem": self.problem,
        }

    @classmethod
    def from_json(cls, listed: Mapping[str, Any]) -> FileCount:
        """The form of result.json, back."""
        return cls(
            (listed["bucket"], listed["key"], listed["version"]),
            listed["read"], listed["kept"], listed["rejected"], listed["duplicate_records"], listed["problem"],
        )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What a job did, as it tells it; `core.result.verify` says whether it can be believed."""

    batch_id: str
    attempt: int
    files: tuple[FileCount, ...]
    tables: Mapping[str, DataFiles]
    rejected: DataFiles
    days: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # table → days with rows, where it knows days
    inputs: Mapping[str, int] = field(default_factory=dict)  # nightly: table → rows read
    artifacts: Mapping[str, str] = field(default_factory=dict)  # nightly: name → URI
    keys: Optional[DataFiles] = None  # of the records kept, where the dataset remembers keys
    dataset: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)  # step → how long it took
    versions: Mapping[str, str] = field(default_factory=dict)  # of Spark and Python

    @property
    def rows(self) -> dict[str, int]:
        """Rows per table, as the files hold them."""
        return {table: rows_of(files) for table, files in self.tables.items()}

    def total(self, what: str) -> int:
        """Sum of that count, such as `read`, over all files; a nightly job keeps all that it reads."""
        if self.inputs and what in ("read", "kept"):
            return sum(self.inputs.values())
        return sum(getattr(file, what) for file in self.files)

    @property
    def problems(self) -> tuple[FileCount, ...]:
        """Files that could not be read to their end."""
        return tuple(file for file in self.files if file.problem)

    def dumps(self) -> str:
        """The text of result.json; `totals` and `rows` are for people, and not read back."""
        tables = {
            name: {**_listed(files), "days": list(self.days.get(name, ()))} for name, files in self.tables.items()
        }
        document = {
            "batch_id": self.batch_id,
            "attempt": self.attempt,
            "dataset": self.dataset,
            "files": [file.to_json() for file in self.files],
            **({"inputs": dict(self.inputs), "artifacts": dict(self.artifacts)} if self.inputs else {}),
            "tables": tables,
            "rejected": _listed(self.rejected),
            **({} if self.keys is None else {"keys": _listed(self.keys)}),
            "totals": {
                "read": self.total("read"),
                "kept": self.total("kept"),
                "rejected": self.total("rejected"),
                "duplicate_records": self.total("duplicate_records"),
            },
            "seconds": {step: round(spent, 3) for step, spent in self.seconds.items()},
            "versions": dict(self.versions),
        }
        return json.dumps(document, indent=1)

    @classmethod
    def loads(cls, text: Text) -> Result:
        """The inverse of `dumps`."""
        document = json.loads(text)
        tables = document["tables"]
        return cls(
            batch_id=document["batch_id"],
            attempt=document["attempt"],
            files=tuple(FileCount.from_json(file) for file in document["files"]),
            tables={name: _data_files(table) for name, table in tables.items()},
            rejected=_data_files(document["rejected"]),
            days={name: tuple(table["days"]) for name, table in tables.items() if "days" in table},
            inputs=document.get("inputs", {}),
            artifacts=document.get("artifacts", {}),
            keys=_data_files(document["keys"]) if "keys" in document else None,
            dataset=document.get("dataset", ""),
            seconds=document.get("seconds", {}),
            versions=document.get("versions", {}),
        )


def _listed(files: Sequence[DataFile]) -> dict[str, Any]:
    return {"rows": rows_of(files), "files": [asdict(file) for file in files]}


def _data_files(listed: Mapping[str, Any]) -> DataFiles:
    return tuple(DataFile(file["uri"], file["rows"], file["bytes"]) for file in listed["files"])


@dataclass(frozen=True)
class RunFailure:
    """What is known of a failed run: the job's own report, or EMR's words."""

    message: str
    kind: str = "unknown"  # file | transient | slow | beyond | unknown
    file: Optional[FileVersion] = None

    def dumps(self, batch_id: str, attempt: int, traceback: str) -> str:
        """The text of failure.json; the traceback is for people, and not read back."""
        return json.dumps({"batch_id": batch_id, "attempt": attempt, **self.to_json(), "traceback": traceback})

    @classmethod
    def loads(cls, text: Text) -> RunFailure:
        """The inverse of `dumps`; a report that cannot be read counts as an unknown failure."""
        try:
            return cls.from_json(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(f"the job failed with an unreadable report: {shortened(text)}")

    def to_json(self) -> dict[str, Any]:
        """What of it is read back, as failure.json and a task's error bear it."""
        file = self.file and {"bucket": self.file.bucket, "key": self.file.key, "version": self.file.version}
        return {"kind": self.kind, "file": file, "message": self.message}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> RunFailure:
        """The inverse of `to_json`; where no file is named, `file` may be left out."""
        named = told.get("file")
        file = FileVersion(named["bucket"], named["key"], named["version"], 0) if named else None
        return cls(str(told["message"])[:REASON_MAX], str(told["kind"]), file)


def shortened(value: object) -> str:
    """The value's text, no longer than a line of a log."""
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
