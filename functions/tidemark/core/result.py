"""The job's report, and the sums that must hold before anybody believes it (design invariant 3).

Shapes: `result.json` and `failure.json` as the job writes them; docs/architecture.md shows one of each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from tidemark.core.errors import Unbalanced
from tidemark.core.failures import RunFailure
from tidemark.core.files import FileVersion
from tidemark.core.manifest import Manifest, NightlyManifest


@dataclass(frozen=True)
class FileCount:
    """What became of one input file's records."""

    identity: tuple[str, str, str]
    read: int
    kept: int
    rejected: int
    repeated: int
    problem: str | None = None  # why the file could not be read to its end

    @property
    def uri(self) -> str:
        return f"s3://{self.identity[0]}/{self.identity[1]}"


@dataclass(frozen=True)
class DataFile:
    uri: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Result:
    batch_id: str
    attempt: int
    files: tuple[FileCount, ...]
    tables: Mapping[str, tuple[DataFile, ...]]
    rejected: tuple[DataFile, ...]
    days: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # table → days with rows, where it knows days
    inputs: Mapping[str, int] = field(default_factory=dict)  # nightly: table → rows read
    artifacts: Mapping[str, str] = field(default_factory=dict)  # nightly: name → URI
    keys: Optional[tuple[DataFile, ...]] = None  # of the records kept, where the dataset remembers keys

    @property
    def rows(self) -> dict[str, int]:
        """Rows per table, as the files hold them."""
        return {table: sum(file.rows for file in files) for table, files in self.tables.items()}

    def total(self, what: str) -> int:
        """Sum of `read`, `kept`, `rejected` or `repeated` over all input files."""
        return sum(getattr(file, what) for file in self.files)

    @property
    def problems(self) -> tuple[FileCount, ...]:
        """Files that could not be read to their end."""
        return tuple(file for file in self.files if file.problem)

    @classmethod
    def loads(cls, text: str | bytes) -> Result:
        """`result.json` → value."""
        data = json.loads(text)
        files = tuple(
            FileCount(
                (file["bucket"], file["key"], file["version"]),
                file["read"], file["kept"], file["rejected"], file["duplicates"], file["problem"],
            )
            for file in data["files"]
        )  # fmt: skip
        tables = {name: _data_files(table) for name, table in data["tables"].items()}
        days = {name: tuple(table["days"]) for name, table in data["tables"].items() if "days" in table}
        return cls(
            data["batch_id"], data["attempt"], files, tables, _data_files(data["rejected"]), days,
            data.get("inputs", {}), data.get("artifacts", {}), _data_files(data["keys"]) if "keys" in data else None,
        )  # fmt: skip


def _data_files(listed: Mapping[str, Any]) -> tuple[DataFile, ...]:
    return tuple(DataFile(file["uri"], file["rows"], file["bytes"]) for file in listed["files"])


def verify(result: Result, manifest: Manifest, tables: tuple[str, ...], facts: tuple[str, ...]) -> None:
    """Raise `Unbalanced`, with expected and found, unless the result accounts for every file and record.

    `facts` are the tables that hold one row for every record kept; each must have as many rows as were kept.
    """
    _equal("batch and attempt", (manifest.batch_id, manifest.attempt), (result.batch_id, result.attempt))
    expected = sorted(file.identity for file in manifest.files)
    _equal("files", expected, sorted(file.identity for file in result.files))
    _equal("tables", sorted(tables), sorted(result.tables))
    for file in result.files:
        accounted = file.kept + file.rejected + file.repeated
        _equal(f"records of {file.uri} (kept + rejected + repeated)", file.read, accounted)
    _equal("rejected records", result.total("rejected"), sum(file.rows for file in result.rejected))
    for table in facts:
        _equal(f"rows of {table}", result.total("kept"), result.rows[table])


def verify_keys(result: Result, required: bool) -> None:
    """Raise `Unbalanced` unless the keys of the records kept are listed; `required` keys are as many as the records."""
    if result.keys is None:
        raise Unbalanced("keys: expected a list of files, found none")
    kept, keys = result.total("kept"), sum(file.rows for file in result.keys)
    if required or keys > kept:  # a record without a key repeats nothing, and is not remembered
        _equal("keys", kept, keys)


def verify_nightly(result: Result, manifest: NightlyManifest, tables: tuple[str, ...]) -> None:
    """Raise `Unbalanced` unless the result has read every row of every pinned file, and tells of every table."""
    _equal("batch and attempt", (manifest.batch_id, manifest.attempt), (result.batch_id, result.attempt))
    _equal("tables", sorted(tables), sorted(result.tables))
    _equal("tables read", sorted(manifest.rows), sorted(result.inputs))
    for table, rows in manifest.rows.items():
        _equal(f"rows read of {table}", rows, result.inputs[table])


def _equal(what: str, expected: object, found: object) -> None:
    if expected != found:
        if isinstance(expected, list) and isinstance(found, list):  # perhaps a thousand files: only what differs
            missing, surplus = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
            expected, found = list(missing.elements()), list(surplus.elements())
        raise Unbalanced(f"{what}: expected {_short(expected)}, found {_short(found)}")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


#: Reasons are kept in the ledger, whose items are small.
REASON_MAX = 2_000


def parse_failure(text: str | bytes) -> RunFailure:
    """`failure.json` → value; a report that cannot be read counts as an unknown failure."""
    try:
        data = json.loads(text)
        named = data.get("file")
        file = FileVersion(named["bucket"], named["key"], named["version"], 0) if named else None
        return RunFailure(str(data["message"])[:REASON_MAX], str(data["kind"]), file)
    except (ValueError, KeyError, TypeError, AttributeError):
        return RunFailure(f"the job failed with an unreadable report: {_short(text)}")
