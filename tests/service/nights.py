"""A small world for nightly jobs: moto's DynamoDB and S3, the real lake on Glue, an EMR that notes its runs, and a
job that sums sales by day with pyarrow.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog

from tidemark.adapters.iceberg import Lake, glue_properties
from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.files import FileVersion, split_uri
from tidemark.core.lifecycle import TRANSITIONS, Batch, Renewed, State, Superseded
from tidemark.core.manifest import Manifest
from tidemark.core.naming import attempt_prefix
from tidemark.service.nightly import read_nightly_manifest
from tidemark.service.publish import publish
from tidemark.service.submit import submit
from tidemark.service.transitions import move
from tidemark.settings import Settings

SETTINGS = Settings(
    stack="tide", ledger_table="ledger", raw_bucket="raw", control_bucket="control",
    lake_bucket="lake", lake_database="tide",
    spark_application_id="app", job_role_arn="arn:job", warehouse_workgroup="warehouse", warehouse_cluster="",
    warehouse_user="", warehouse_secret_arn="", warehouse_database="dev",
    copy_role_arn="arn:copy", reconcile_hours=24,
    spark_cpu="8 vCPU", spark_memory="1000 GB", spark_disk="1000 GB",  # four runs
)  # fmt: skip
DAILY = {"columns": {"day": "date", "amount": "bigint"}, "day": "day"}
DATASETS = {
    dataset.name: dataset
    for dataset in map(
        parse_dataset,
        (
            {"name": "shop", "prefix": "shop/", "record": {"day": "date", "amount": "bigint"},
             "tables": {"sales": DAILY}},
            {"name": "totals", "every": "day", "reads": {"sales": "period"}, "tables": {"totals": DAILY}},
            {"name": "trends", "every": "day", "reads": {"totals": {"back": "1d"}}, "tables": {"trends": DAILY}},
        ),
    )
}  # fmt: skip
FILE = FileVersion("raw", "shop/1.json", "v1", 1)  # what every batch of the shop has read
Amounts = Mapping[str, list[int]]  # day → amounts


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)

    def now(self) -> datetime:
        """The moment that was set."""
        return self.moment


@dataclass
class Runs:
    """EMR Serverless, which accepts every run, and has it ended well when it is asked."""

    names: list[str] = field(default_factory=list)

    def start_job_run(self, name: str, **_: Any) -> dict[str, str]:
        if name not in self.names:
            self.names.append(name)
        return {"jobRunId": name}

    def cancel_job_run(self, **_: Any) -> None:
        pass

    def get_job_run(self, jobRunId: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"jobRun": {"name": jobRunId, "state": "SUCCESS"}}


@dataclass
class Hints:
    """EventBridge, which keeps what it is sent."""

    entries: list[dict[str, str]] = field(default_factory=list)

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, int]:  # noqa: N803
        self.entries += Entries
        return {"FailedEntryCount": 0}


@dataclass(frozen=True)
class NightWorld(World):
    """The product's world over clients of one endpoint."""

    clients: Mapping[str, Any]
    endpoint: str

    @property
    def datasets(self) -> dict[str, Dataset]:  # type: ignore[override]
        """A shop's sales, their totals by day, and the trend of the totals."""
        return DATASETS

    @cached_property
    def lake(self) -> Lake:
        """The real lake."""
        return Lake(load_catalog("glue", **glue_properties("us-east-1", self.endpoint)), "tide", "lake")

    def client(self, service: str) -> Any:
        """One of the clients."""
        return self.clients[service]

    @property
    def runs(self) -> list[str]:
        """The names of all runs that were started."""
        return self.client("emr-serverless").names  # type: ignore[no-any-return]


def land(world: NightWorld, batch_id: str, amounts: Amounts) -> Batch:
    """A batch of files goes through to PUBLISHED; one that is known, as its next attempt."""
    batch = world.ledger.batches.get(batch_id)
    now = world.clock.now()
    if batch is None:
        batch = Batch(batch_id, "shop", now, now, State.RUNNING)
    else:
        kind = Superseded if Superseded in TRANSITIONS[batch.state] else Renewed
        again = move(world, batch, kind(batch.attempt, "a file was overwritten"))
        batch = replace(again, state=State.RUNNING)
    manifest = Manifest(batch_id, batch.attempt, "shop", (FILE,))
    key = f"{attempt_prefix('shop', batch_id, batch.attempt)}manifest.json"
    world.store.put_once("control", key, manifest.dumps())
    batch = world.ledger.batches.save(replace(batch, manifest=key, run_id=f"{batch_id}.{batch.attempt}", due_at=now))
    _report(world, batch, "sales", amounts)
    publish(world, batch_id)
    return _batch(world, batch_id)


def run_nights(world: NightWorld, unread: int = 0) -> list[str]:
    """Play Submit, Spark and Publish for every nightly batch that is PLANNED; their ids. The job may skip rows."""
    planned = [batch for name in ("totals", "trends") for batch in world.ledger.batches.open(name)]
    worked = [batch.batch_id for batch in planned if batch.state is State.PLANNED]
    for batch_id in worked:
        submit(world, batch_id)
        batch = _batch(world, batch_id)
        pinned = read_nightly_manifest(world, batch.manifest).rows
        read = {table: rows - unread for table, rows in pinned.items()}
        _report(world, batch, batch.dataset, computed(world, batch), read)
        publish(world, batch_id)
    return worked


def computed(world: NightWorld, batch: Batch) -> Amounts:
    """The job: what the pinned files hold of the days that were asked for, summed up for the period's day."""
    manifest = read_nightly_manifest(world, batch.manifest)
    total = 0
    for entry in manifest.inputs:
        assert entry.days
        for file in entry.files:
            rows = pq.read_table(io.BytesIO(world.store.get(file.bucket, file.key) or b"")).to_pylist()
            assert len(rows) == file.rows
            total += sum(row["amount"] for row in rows if entry.days[0] <= row["day"] < entry.days[1])
    return {batch.period: [total]}


def shown(world: NightWorld, table: str) -> dict[str, list[int]]:
    """What a reader of the lake sees: day → amounts."""
    rows = world.lake.catalog.load_table(("tide", table)).scan().to_arrow().to_pylist()
    found: dict[str, list[int]] = {}
    for row in sorted(rows, key=lambda row: (row["day"], row["amount"])):
        found.setdefault(row["day"].isoformat(), []).append(row["amount"])
    return found


def advance(world: NightWorld, **step: int) -> None:
    """Let time pass."""
    world.clock.moment += timedelta(**step)  # type: ignore[attr-defined]


def _report(
    world: NightWorld, batch: Batch, table: str, amounts: Amounts, inputs: Mapping[str, int] | None = None
) -> None:
    output = f"s3://lake/{attempt_prefix(batch.dataset, batch.batch_id, batch.attempt)}"
    files = [_write(world, output, table, batch, day, found) for day, found in amounts.items() if found]
    written = {"rows": sum(file["rows"] for file in files), "files": files, "days": sorted(amounts)}
    report = {
        "batch_id": batch.batch_id, "attempt": batch.attempt, "dataset": batch.dataset, "files": [],
        "tables": {table: written}, "rejected": {"rows": 0, "files": []}, "inputs": inputs or {}, "artifacts": {},
    }  # fmt: skip
    if inputs is None:
        kept = {
            "read": written["rows"],
            "kept": written["rows"],
            "rejected": 0,
            "duplicate_records": 0,
            "problem": None,
        }
        report["files"] = [{"bucket": FILE.bucket, "key": FILE.key, "version": FILE.version, **kept}]
    world.store.put("lake", split_uri(output)[1] + "result.json", json.dumps(report))


def _write(world: NightWorld, output: str, table: str, batch: Batch, day: str, amounts: Iterable[int]) -> Any:
    values = list(amounts)
    rows = pa.table(
        {
            "day": pa.array([date.fromisoformat(day)] * len(values)),
            "amount": pa.array(values, pa.int64()),
            "_batch_id": [batch.batch_id] * len(values),
            "_attempt": pa.array([batch.attempt] * len(values), pa.int32()),
        }
    )
    body = io.BytesIO()
    pq.write_table(rows, body)
    uri = f"{output}tables/{table}/{day}.parquet"
    bucket, key = split_uri(uri)
    world.client("s3").put_object(Bucket=bucket, Key=key, Body=body.getvalue())
    return {"uri": uri, "rows": len(values), "bytes": len(body.getvalue())}


def _batch(world: NightWorld, batch_id: str) -> Batch:
    found = world.ledger.batches.get(batch_id)
    assert found
    return found
