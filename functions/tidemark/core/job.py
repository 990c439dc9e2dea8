"""The documents that Lambda and Spark exchange. Each is written and read here, and nowhere else.

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
from tidemark.core.release import check_format

#: Names of the documents below an attempt's prefix.
JOB_SPEC, RESULT, FAILURE = "job_spec.json", "result.json", "failure.json"
#: A failure's message is cut to this many characters, so that ledger items stay small.
REASON_MAX = 2_000

Text = Union[str, bytes]


@dataclass(frozen=True)
class DataFile:
    """A Parquet or JSON file that a job has written."""

    uri: str
    rows: int
    bytes: int


DataFiles = tuple[DataFile, ...]


def rows_of(files: Sequence[DataFile]) -> int:
    """Total rows of the files."""
    return sum(file.rows for file in files)


@dataclass(frozen=True)
class JobSpec:
    """What the job of one attempt is to do."""

    batch_id: str
    attempt: int
    dataset: Dataset
    manifest: str  # s3:// URI
    output: str  # s3:// prefix of this attempt alone, ending in /
    seen: Optional[DataFiles] = None  # files with the keys of other batches; None without deduplication across batches
    code: str = ""  # hash of the job code; "" for code from before there were hashes

    def dumps(self) -> str:
        """The text of job_spec.json."""
        document: dict[str, Any] = {
            "format": 1,
            "batch_id": self.batch_id,
            "attempt": self.attempt,
            "code": self.code,
            "dataset": self.dataset.declared,
            "manifest": self.manifest,
            "output": self.output,
        }
        if self.seen is not None:
            document["seen"] = [asdict(file) for file in self.seen]
        return json.dumps(document, indent=1, default=str)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> JobSpec:
        """The value of a decoded job_spec.json.

        Raises `DeclarationError` if its declaration is invalid, and `NewerRelease` if only a newer release reads it.
        """
        check_format(document, JOB_SPEC)
        dataset, output = parse_dataset(document["dataset"]), document["output"].rstrip("/") + "/"
        seen = _data_files({"files": document["seen"]}) if "seen" in document else None
        names = (document["batch_id"], document["attempt"])
        return cls(*names, dataset, document["manifest"], output, seen, document.get("code", ""))

    @classmethod
    def loads(cls, text: Text) -> JobSpec:
        """The inverse of `dumps`."""
        return cls.parse(json.loads(text))


class Rejected(NamedTuple):
    """A rejected record: its position in the file, and the reason."""

    position: int  # byte offset in the decompressed content
    line: int  # from 1
    reason: str
    raw: str  # the beginning of the record, cut to a maximum length


#: Keys in a rejected record's line that name its file version; the fields of `Rejected` follow them.
REJECTED_FROM = ("file", "version")


@dataclass(frozen=True)
class RejectedRecord:
    """A line of rejected/*.json: a rejected record and its file version."""

    file: str  # s3:// URI
    version: str
    rejected: Rejected

    @classmethod
    def loads(cls, line: Text) -> RejectedRecord:
        """Parses one line of rejected/*.json."""
        fields = json.loads(line)
        file, version = (fields.pop(key) for key in REJECTED_FROM)
        return cls(file, version, Rejected(**{name: fields[name] for name in Rejected._fields}))


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
        """The file's s3:// URI, without the version."""
        return f"s3://{self.identity[0]}/{self.identity[1]}"

    def to_json(self) -> dict[str, Any]:
        """The object that result.json has for this file."""
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
        """The inverse of `to_json`."""
        return cls(
            (listed["bucket"], listed["key"], listed["version"]),
            listed["read"], listed["kept"], listed["rejected"], listed["duplicate_records"], listed["problem"],
        )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What a job reports; `core.verification` checks it against the manifest."""

    batch_id: str
    attempt: int
    files: tuple[FileCount, ...]
    tables: Mapping[str, DataFiles]
    rejected: DataFiles
    days: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # table with a `day` → days on which it has rows
    inputs: Mapping[str, int] = field(default_factory=dict)  # nightly: table → rows read
    artifacts: Mapping[str, str] = field(default_factory=dict)  # nightly: name → URI
    keys: Optional[DataFiles] = None  # keys of the kept records; None without deduplication across batches
    dataset: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)  # step → duration
    versions: Mapping[str, str] = field(default_factory=dict)  # of Spark and Python

    @property
    def rows(self) -> dict[str, int]:
        """Table → rows in its files."""
        return {table: rows_of(files) for table, files in self.tables.items()}

    def total(self, what: str) -> int:
        """Sum of a count such as `read` over all files; a nightly job keeps all the rows that it reads."""
        if self.inputs and what in ("read", "kept"):
            return sum(self.inputs.values())
        return sum(getattr(file, what) for file in self.files)

    @property
    def problems(self) -> tuple[FileCount, ...]:
        """Files that could not be read to their end."""
        return tuple(file for file in self.files if file.problem)

    def dumps(self) -> str:
        """The text of result.json; its `totals`, and the `rows` of each table, are for people and not read back."""
        tables = {
            name: {**_listed(files), "days": list(self.days.get(name, ()))} for name, files in self.tables.items()
        }
        document = {
            "format": 1,
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
        """The inverse of `dumps`; raises `NewerRelease` if only a newer release reads it."""
        document = json.loads(text)
        check_format(document, RESULT)
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
    """Why a run failed, by the job's own report or by EMR's details."""

    message: str
    kind: str = "unknown"  # file | transient | denied | small | slow | outdated | beyond | unknown
    file: Optional[FileVersion] = None

    def dumps(self, batch_id: str, attempt: int, traceback: str) -> str:
        """The text of failure.json; its traceback is for people and not read back."""
        names = {"format": 1, "batch_id": batch_id, "attempt": attempt}
        return json.dumps({**names, **self.to_json(), "traceback": traceback})

    @classmethod
    def loads(cls, text: Text) -> RunFailure:
        """The inverse of `dumps`; a report that cannot be read counts as an unknown failure.

        Raises `NewerRelease` if only a newer release reads it.
        """
        try:
            report = json.loads(text)
            check_format(report, FAILURE)
            return cls.from_json(report)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(f"the job failed with an unreadable report: {shortened(text)}")

    def to_json(self) -> dict[str, Any]:
        """The part that `from_json` reads back; failure.json and the error of a Spark task both contain it."""
        file = self.file and {"bucket": self.file.bucket, "key": self.file.key, "version": self.file.version}
        return {"kind": self.kind, "file": file, "message": self.message}

    @classmethod
    def from_json(cls, report: Mapping[str, Any]) -> RunFailure:
        """The inverse of `to_json`; a report that blames no file may leave `file` out."""
        blamed = report.get("file")
        file = FileVersion(blamed["bucket"], blamed["key"], blamed["version"], 0) if blamed else None
        return cls(str(report["message"])[:REASON_MAX], str(report["kind"]), file)


def shortened(value: object) -> str:
    """The value's text, cut to the length of a log line."""
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
