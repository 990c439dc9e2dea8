"""The Spark job as a pure function of its order: the same promises as spark_jobs/run_batch.py, without Spark."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tidemark.adapters.store import split_uri

Row = tuple[Any, ...]


class RunFailed(Exception):
    """The job gives up."""


@dataclass
class DataStore:
    """Parquet files by URI: their rows and sizes. Shared by the job, the lake and COPY."""

    files: dict[str, tuple[int, list[Row]]] = field(default_factory=dict)
    under: DataStore | None = None  # where files are that others have written

    def write(self, uri: str, rows: list[Row]) -> dict[str, Any]:
        """A new file; its name is never used twice."""
        assert uri not in self.files, f"{uri} written twice"
        size = 1_000 + 37 * len(rows)
        self.files[uri] = (size, rows)
        return {"uri": uri, "rows": len(rows), "bytes": size}

    def read(self, uri: str) -> list[Row]:
        """A file's rows."""
        return (self.under.files if self.under else self.files)[uri][1]


def run_job(s3: Any, data: DataStore, order_uri: str, run_id: str, short: bool = False) -> None:
    """Read order, manifest and files; write tables, rejected records and, last, result.json.

    `short` is a job with a fault of its own: it loses the last row of its facts.

    Raises `RunFailed` after writing failure.json for a file that is named poison, without it for an unnamed one.
    """
    order = json.loads(s3.objects[split_uri(order_uri)])
    manifest = json.loads(s3.objects[split_uri(order["manifest"])])
    output, batch_id, attempt = order["output"], order["batch_id"], order["attempt"]
    known = {key for listed in order.get("seen", ()) for (key,) in data.read(listed["uri"])}
    facts: list[Row] = []
    users: Counter[str] = Counter()
    rejected = 0
    counts = []
    for file in manifest["files"]:
        landed = s3.raw[(file["bucket"], file["key"], file["version"])]
        _refuse_poison(s3, order, file, landed.records)
        # Where keys are remembered, the batch's own count from file to file, too.
        seen = known if "seen" in order else set()
        count = _read_file(landed, facts, users, batch_id, attempt, seen)
        counts.append(
            {"bucket": file["bucket"], "key": file["key"], "version": file["version"], "problem": None, **count}
        )
        rejected += count["rejected"]
    if short and facts:
        users[facts.pop()[1]] -= 1
    by_user = [(user, events, batch_id, attempt) for user, events in sorted(users.items())]
    facts_name, additive_name = list(order["dataset"]["tables"])
    tables = {
        facts_name: _write(data, f"{output}tables/{facts_name}/part-{run_id}", facts, parts=2),
        additive_name: _write(data, f"{output}tables/{additive_name}/part-{run_id}", by_user, parts=1),
    }
    uri = f"{output}rejected/part-{run_id}.json"
    set_aside = [{"uri": uri, "rows": rejected, "bytes": 10 * rejected}] if rejected else []
    report = {
        "batch_id": batch_id, "attempt": attempt, "dataset": order["dataset"]["name"], "files": counts,
        "tables": tables, "rejected": {"rows": rejected, "files": set_aside},
    }  # fmt: skip
    if "seen" in order:
        report["keys"] = _write(data, f"{output}keys/part-{run_id}", [(row[0],) for row in facts], parts=1)
    _put(s3, output + "result.json", report)


def report_failure(s3: Any, order_uri: str, kind: str, message: str, file: dict[str, Any] | None = None) -> None:
    """failure.json, as the job's driver writes it before it ends."""
    order = json.loads(s3.objects[split_uri(order_uri)])
    report = {
        "batch_id": order["batch_id"],
        "attempt": order["attempt"],
        "kind": kind,
        "file": file,
        "message": message,
    }
    _put(s3, order["output"] + "failure.json", report)


def _read_file(
    landed: Any, facts: list[Row], users: Counter[str], batch_id: str, attempt: int, seen: set[str]
) -> dict[str, int]:
    uri = f"s3://{landed.bucket}/{landed.key}"
    kept = bad = 0
    for record in landed.records:
        if record.get("bad"):
            bad += 1
        elif record["id"] not in seen:
            seen.add(record["id"])
            facts.append((record["id"], record["user"], record["note"], batch_id, attempt, uri, None))
            users[record["user"]] += 1
            kept += 1
    read = len(landed.records)
    return {"read": read, "kept": kept, "rejected": bad, "duplicates": read - kept - bad}


def _refuse_poison(s3: Any, order: dict[str, Any], file: dict[str, Any], records: tuple[dict[str, Any], ...]) -> None:
    poison = records[0].get("poison") if records else None
    if poison == "named":
        named = {name: file[name] for name in ("bucket", "key", "version")}
        report = {"batch_id": order["batch_id"], "attempt": order["attempt"], "kind": "file", "file": named}
        _put(s3, order["output"] + "failure.json", {**report, "message": "not a JSON file"})
    if poison:
        raise RunFailed("Job failed, please check complete logs")


def _write(data: DataStore, stem: str, rows: list[Row], parts: int) -> dict[str, Any]:
    slices = [rows[part::parts] for part in range(parts)]
    files = [data.write(f"{stem}-{number}.parquet", piece) for number, piece in enumerate(slices) if piece]
    return {"rows": len(rows), "files": files}


def _put(s3: Any, uri: str, document: dict[str, Any]) -> None:
    s3.objects[split_uri(uri)] = json.dumps(document).encode()


class Beside:
    """S3 for the check's own run of the job: reads the world's objects, writes nowhere."""

    def __init__(self, objects: dict[tuple[str, str], bytes], raw: Any) -> None:
        self.objects, self.raw = _Overlay(objects), raw


class _Overlay(dict[tuple[str, str], bytes]):
    def __init__(self, under: dict[tuple[str, str], bytes]) -> None:
        super().__init__()
        self.under = under

    def __missing__(self, key: tuple[str, str]) -> bytes:
        return self.under[key]
