"""Two nightly jobs, of which one waits for the other, and their Spark code as pure functions of the snapshots' rows.

`daily` counts the orders of each user by day, and writes an artifact. `trends` compares a day's orders with `daily`'s
counts of that day and the day before: the same orders make both due at once, and `trends` has to wait.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from tests.simulation.job import DataStore, Halves, Row, put_document, put_result, run_batch
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.files import split_uri

DAILY, TRENDS = "daily", "trends"
ARTIFACT = "summary.json"  #: artifact of `daily`
Tables = Mapping[str, list[Row]]  # table → rows of the days that are read

#: Job → table that it reads → number of days before the period that it also reads.
READS = {DAILY: {"orders": 0}, TRENDS: {"orders": 0, DAILY: 1}}
#: Table → position of the day in a row.
DAY_AT = {"orders": 3, DAILY: 0, TRENDS: 0}


def declare_nights() -> dict[str, Dataset]:
    """Declares the jobs, which read the facts of `orders`."""
    columns: dict[str, dict[str, str]] = {
        DAILY: {"day": "date", "user_id": "string(64)", "events": "bigint", "first": "string(64)"},
        TRENDS: {"day": "date", "orders": "bigint", "known": "bigint", "before": "bigint"},
    }
    reads: dict[str, dict[str, Any]] = {
        DAILY: {"orders": "period"},
        TRENDS: {"orders": "period", DAILY: {"back": "1d"}},
    }
    jobs = [
        {"name": name, "every": "day", "reads": reads[name], "tables": {name: {"columns": columns[name], "day": "day"}}}
        for name in (DAILY, TRENDS)
    ]
    return {job["name"]: parse_dataset(job) for job in jobs}


def days_read(job: str, table: str, period: str) -> list[str]:
    """The days of a table that a job reads for a period."""
    day = date.fromisoformat(period)
    return [(day - timedelta(days=before)).isoformat() for before in range(READS[job][table], -1, -1)]


def computed(job: str, period: str, tables: Tables) -> list[Row]:
    """The rows of a period's report, with the declared columns."""
    if job == DAILY:
        return list(_daily(period, tables["orders"]))
    known = tables[DAILY]
    today, before = (sum(row[2] for row in known if (row[0] == period) is own) for own in (True, False))
    return [(period, len(tables["orders"]), today, before)]


def _daily(period: str, orders: list[Row]) -> Iterator[Row]:
    by_user: dict[Any, list[str]] = {}
    for row in orders:
        by_user.setdefault(row[1], []).append(row[0])
    for user, records in sorted(by_user.items(), key=str):
        yield (period, user, len(records), min(records))


def run_night(
    s3: Any, data: DataStore, spec: dict[str, Any], manifest: dict[str, Any], run_id: str, short: bool
) -> None:
    """Read the files in the manifest; write the report, the artifact and, last, result.json.

    A `short` job has a bug: it skips a row that it has to read.
    """
    job, tables, inputs = spec["dataset"]["name"], {}, {}
    for entry in manifest["inputs"]:
        name = entry["table"]
        rows = [row for file in entry["files"] for row in data.read(f"s3://{file['bucket']}/{file['key']}")]
        if short and rows:
            rows.pop()
        inputs[name] = len(rows)
        days = days_read(job, name, manifest["period"]["start"])
        tables[name] = [row for row in rows if row[DAY_AT[name]] in days]
    report = computed(job, manifest["period"]["start"], tables)
    made: dict[str, list[Halves]] = {job: [(row, ()) for row in report]}
    more: dict[str, Any] = {"files": [], "inputs": inputs, "rejected": {"rows": 0, "files": []}}
    if job == DAILY:
        more["artifacts"] = {ARTIFACT: f"{spec['output']}artifacts/{ARTIFACT}"}
        put_document(s3, more["artifacts"][ARTIFACT], {"rows": len(report)})
    put_result(s3, data, spec, run_id, made, more)


def run_job(s3: Any, data: DataStore, told: bytes, run_id: str, short: bool = False) -> None:
    """Run a job spec without faults: a batch of files, or a period of a nightly job."""
    spec = json.loads(told)
    manifest = json.loads(s3.objects[split_uri(spec["manifest"])])
    (run_night if "period" in manifest else run_batch)(s3, data, spec, manifest, run_id, short)
