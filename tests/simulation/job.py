"""The Spark job as a pure function of its spec: the same promises as spark_jobs/run_batch.py, without Spark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.world import ADDED, COLUMNS
from tidemark.core.files import split_uri

SYSTEM = ("_batch_id", "_attempt", "_file", "_rescued")  #: columns that follow the declared ones of facts
Row = tuple[Any, ...]
Record = Mapping[str, Any]  # a raw record, with its `file`, `landed_at` and `ordinal`
Halves = tuple[Row, Row]  # a row's declared columns, and the columns that follow batch and attempt


class RunFailed(Exception):
    """The job fails."""


@dataclass
class DataStore:
    """Parquet files by URI: their rows and sizes. Shared by the job, the lake and COPY."""

    files: dict[str, tuple[int, list[Row]]] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # a file's columns, if columns were added
    under: DataStore | None = None  # has the files that this store only reads
    gone: set[str] = field(default_factory=set)  # files that another tool deleted; their rows stay for checks

    def write(self, uri: str, rows: list[Row], names: tuple[str, ...] = ()) -> dict[str, Any]:
        """Write a new file; a name is never used twice."""
        assert uri not in self.files, f"{uri} written twice"
        if names:
            self.names[uri] = names
        size = 1_000 + 37 * len(rows)
        self.files[uri] = (size, rows)
        return {"uri": uri, "rows": len(rows), "bytes": size}

    def shaped(self, uri: str, names: Sequence[str]) -> list[Row]:
        """A file's rows with these columns; columns that the file lacks are null."""
        rows, own = self.files[uri][1], self.names.get(uri)
        if not rows or (own is None and len(rows[0]) == len(names)):
            return rows
        if (uri, len(names)) not in self.reshaped:
            known = own or [name for name in names if name not in ADDED]
            at = [known.index(name) if name in known else None for name in names]
            self.reshaped[uri, len(names)] = [tuple(None if i is None else row[i] for i in at) for row in rows]
        return self.reshaped[uri, len(names)]

    reshaped: dict[tuple[str, int], list[Row]] = field(default_factory=dict)

    def read(self, uri: str) -> list[Row]:
        """A file's rows, as a job reads them; raises `RunFailed` if the file is gone."""
        if uri in self.gone:
            raise RunFailed(f"NoSuchKey: {uri}")
        return (self.under.files if self.under else self.files)[uri][1]


def run_batch(
    s3: Any, data: DataStore, spec: dict[str, Any], manifest: dict[str, Any], run_id: str, short: bool
) -> None:
    """Read the files; write the tables, the rejected records and, last, result.json.

    A `short` job has a bug: it loses the last record that it keeps.

    Raises `RunFailed` for a poison file, after writing failure.json if the poison is "named".
    """
    output = spec["output"]
    known = {key for listed in spec.get("seen", ()) for (key,) in data.read(listed["uri"])}
    kept: list[Record] = []
    counts = []
    for file in manifest["files"]:
        landed = s3.raw[(file["bucket"], file["key"], file["version"])]
        _refuse_poison(s3, spec, file, landed.records)
        # With deduplication across batches, keys of the batch's earlier files count as seen, too.
        count = _read_file(landed, file["landed_at"], kept, known if "seen" in spec else set())
        named = {name: file[name] for name in ("bucket", "key", "version")}
        counts.append({**named, "problem": None, **count})
    if short and kept:
        kept.pop()
    rejected = sum(count["rejected"] for count in counts)
    uri = f"{output}rejected/part-{run_id}.json"
    set_aside = [{"uri": uri, "rows": rejected, "bytes": 10 * rejected}] if rejected else []
    tables = spec["dataset"]["tables"]
    made = {name: MAKERS[table.get("kind", "facts")](kept, table["columns"]) for name, table in tables.items()}
    report = {"files": counts, "rejected": {"rows": rejected, "files": set_aside}}
    if "seen" in spec:
        report["keys"] = _write(data, f"{output}keys/part-{run_id}", [(record["id"],) for record in kept])
    put_result(s3, data, spec, run_id, made, report)


def put_result(
    s3: Any, data: DataStore, spec: dict[str, Any], run_id: str, made: Mapping[str, Iterable[Halves]],
    report: dict[str, Any],
) -> None:  # fmt: skip
    """Write each table's rows, then result.json."""
    ids = (spec["batch_id"], spec["attempt"])
    tables = {}
    for name, declared in spec["dataset"]["tables"].items():
        more = tuple(column for column in declared["columns"] if column in ADDED)
        rows = [own + ids + rest for own, rest in made[name]]
        names = (*COLUMNS, *more, *SYSTEM) if more else ()
        written = _write(data, f"{spec['output']}tables/{name}/part-{run_id}", rows, names)
        day = list(declared["columns"]).index(declared["day"]) if "day" in declared else None
        days = [] if day is None else sorted({row[day] for row in rows} - {None})
        tables[name] = {**written, "days": days}
    named = {"batch_id": ids[0], "attempt": ids[1], "dataset": spec["dataset"]["name"]}
    put_document(s3, spec["output"] + "result.json", {**named, "tables": tables, **report})


def report_failure(s3: Any, told: bytes, kind: str, message: str, file: dict[str, Any] | None = None) -> None:
    """failure.json, as the job's driver writes it before it ends."""
    spec = json.loads(told)
    report = {
        "batch_id": spec["batch_id"],
        "attempt": spec["attempt"],
        "kind": kind,
        "file": file,
        "message": message,
    }
    put_document(s3, spec["output"] + "failure.json", report)


def _read_file(landed: Any, landed_at: str | None, kept: list[Record], seen: set[str]) -> dict[str, int]:
    # Events and listings write the same second in different formats.
    place = {"file": f"s3://{landed.bucket}/{landed.key}", "landed_at": landed_at and landed_at[:19]}
    before, bad = len(kept), 0
    for ordinal, record in enumerate(landed.records):
        if record.get("bad"):
            bad += 1
        elif record["id"] not in seen:
            seen.add(record["id"])
            kept.append({**record, **place, "ordinal": ordinal})
    read, new = len(landed.records), len(kept) - before
    return {"read": read, "kept": new, "rejected": bad, "duplicate_records": read - new - bad}


# ── the rows of each kind of table; the columns are declared in `world` ──────────────────────────────────────


def _facts(kept: Iterable[Record], columns: Iterable[str]) -> Iterator[Halves]:
    more = [column for column in columns if column in ADDED]
    for one in kept:
        added = (one.get(column) for column in more)
        yield (one["id"], one["user"], one["note"], one.get("day"), *added), (one["file"], None)


def _by_user(kept: Iterable[Record], _: Iterable[str]) -> Iterator[Halves]:
    users = Counter(one["user"] for one in kept)
    for user, events in sorted(users.items(), key=str):
        yield (user, events), ()


def _latest(kept: Iterable[Record], _: Iterable[str]) -> Iterator[Halves]:
    for one in kept:
        yield (one["user"], one["id"], one.get("day")), (one["file"], None, one["landed_at"], one["ordinal"])


MAKERS: dict[str, Callable[[Iterable[Record], Iterable[str]], Iterable[Halves]]] = {
    "facts": _facts, "additive": _by_user, "latest": _latest,
}  # fmt: skip


def _refuse_poison(s3: Any, spec: dict[str, Any], file: dict[str, Any], records: tuple[dict[str, Any], ...]) -> None:
    poison = records[0].get("poison") if records else None
    named = {name: file[name] for name in ("bucket", "key", "version")}
    is_gone = tuple(named.values()) in s3.gone
    if is_gone or poison == "named":
        report = {"batch_id": spec["batch_id"], "attempt": spec["attempt"], "kind": "file", "file": named}
        message = "NoSuchVersion" if is_gone else "not a JSON file"
        put_document(s3, spec["output"] + "failure.json", {**report, "message": message})
    if is_gone or poison:
        raise RunFailed("Job failed, please check complete logs")


def _write(data: DataStore, stem: str, rows: list[Row], names: tuple[str, ...] = (), parts: int = 2) -> dict[str, Any]:
    slices = [rows[part::parts] for part in range(parts)]
    files = [data.write(f"{stem}-{number}.parquet", piece, names) for number, piece in enumerate(slices) if piece]
    return {"rows": len(rows), "files": files}


def put_document(s3: Any, uri: str, document: dict[str, Any]) -> None:
    """Write a small JSON document, as the job does."""
    s3.objects[split_uri(uri)] = json.dumps(document).encode()


class Beside:
    """S3 for the run of the job by an invariant's check: reads the world's objects, and writes to an overlay."""

    gone = frozenset[tuple[str, str, str]]()  # nothing: what an attempt read existed at that time

    def __init__(self, objects: dict[tuple[str, str], bytes], raw: Any) -> None:
        self.objects, self.raw = _Overlay(objects), raw


class _Overlay(dict[tuple[str, str], bytes]):
    def __init__(self, under: dict[tuple[str, str], bytes]) -> None:
        super().__init__()
        self.under = under

    def __missing__(self, key: tuple[str, str]) -> bytes:
        return self.under[key]
