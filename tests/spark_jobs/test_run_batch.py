"""The whole job: objects on an S3 server in, Parquet, rejected records and a report out."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs import run_batch
from tests.spark_jobs.conftest import Job, request
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.job import Result, RunFailure
from tidemark.core.verification import verify


def sale(number: str, amount: str, user: str = "u1") -> bytes:
    template = '{"transaction_id":"%s","user_id":"%s","timestamp":"2026-07-01T12:00:00Z","amount":%s}'
    return (template % (number, user, amount)).encode()


def test_a_batch_becomes_tables_rejected_records_and_a_result(job: Job) -> None:
    """Every record of every file is accounted for, and every row says where it came from."""
    first = job.raw.put("web_logs/2026/07/01/12/a", gzip.compress(request("u1") + request("u1", 404) + b'{"timest'))
    second = job.raw.put("web_logs/2026/07/02/00/b.gz", request("u2", day=2) + b"\n" + request("u3", status="n/a"))
    assert job.run("web_logs", first, second, attempt=3) == 0

    result = job.result
    verify(
        Result.loads(json.dumps(result)),
        job.manifest,
        ("web_events", "user_activity", "error_patterns"),
        ("web_events",),
    )
    assert result["totals"] == {"read": 5, "kept": 3, "rejected": 2, "duplicate_records": 0}
    assert [(file["read"], file["kept"], file["rejected"], file["problem"]) for file in result["files"]] == [
        (3, 2, 1, None),
        (2, 1, 1, None),
    ]
    assert set(result["seconds"]) == {"session", "read", "write"}
    events = job.rows("web_events")
    assert [(row["user_id"], str(row["event_date"]), row["_attempt"], row["_file"]) for row in events] == [
        ("u1", "2026-07-01", 3, "s3://raw/web_logs/2026/07/01/12/a"),
        ("u1", "2026-07-01", 3, "s3://raw/web_logs/2026/07/01/12/a"),
        ("u2", "2026-07-02", 3, "s3://raw/web_logs/2026/07/02/00/b.gz"),
    ]
    assert {row["_batch_id"] for row in events} == {job.batch_id}
    assert sorted((row["user_id"], row["events"]) for row in job.rows("user_activity")) == [("u1", 2), ("u2", 1)]
    assert [(row["status_code"], row["errors"]) for row in job.rows("error_patterns")] == [(404, 1)]
    assert sorted(job.rejected(), key=lambda row: row["file"]) == [
        {
            "file": "s3://raw/web_logs/2026/07/01/12/a",
            "version": first["version"],
            "position": len(request("u1") + request("u1", 404)),
            "line": 1,
            "reason": "JSON cut off",
            "raw": '{"timest',
        },
        {
            "file": "s3://raw/web_logs/2026/07/02/00/b.gz",
            "version": second["version"],
            "position": len(request("u2", day=2)) + 1,
            "line": 2,
            "reason": "status_code: 'n/a' is not a number",
            "raw": request("u3", status="n/a").decode(),
        },
    ]


def test_the_files_are_what_the_lake_and_the_warehouse_take(job: Job) -> None:
    """One partition value in a file and in its column; columns in the order of COPY; UTC microseconds; gzip."""
    file = job.raw.put("web_logs/x", request("u1", day=1) + request("u1", day=2) + request("u1", day=2))
    assert job.run("web_logs", file) == 0
    listed = job.result["tables"]["web_events"]["files"]
    assert [entry["rows"] for entry in listed] == [1, 2]
    for entry in listed:
        parquet = pq.ParquetFile(job.local(entry["uri"]))
        assert parquet.schema_arrow.names == [
            column.name for column in job.declared["web_logs"].table("web_events").all_columns
        ]
        assert len({row["event_date"] for row in parquet.read(["event_date"]).to_pylist()}) == 1
        assert str(parquet.schema_arrow.field("event_time").type) == "timestamp[us, tz=UTC]"
        assert parquet.metadata.row_group(0).column(0).compression == "GZIP"
        assert (parquet.metadata.num_rows, job.local(entry["uri"]).stat().st_size) == (entry["rows"], entry["bytes"])


def test_a_record_that_comes_twice_is_kept_once(job: Job) -> None:
    """Within a file or across files, by its key; totals are of what is kept, and exact."""
    first = job.raw.put("transactions/a", sale("t1", "0.10") + sale("t2", "0.20") + sale("t1", "0.10"))
    second = job.raw.put("transactions/b", sale("t2", "0.20") + sale("t3", "0.70") + sale("t4", "1.005"))
    assert job.run("transactions", first, second) == 0
    assert [(f["read"], f["kept"], f["duplicate_records"], f["rejected"]) for f in job.result["files"]] == [
        (3, 2, 1, 0),
        (3, 1, 1, 1),
    ]
    assert sorted(row["transaction_id"] for row in job.rows("transactions")) == ["t1", "t2", "t3"]
    assert [(row["total_amount"], row["transactions"]) for row in job.rows("daily_user_totals")] == [
        (Decimal("1.00"), 3)
    ]
    assert [row["reason"] for row in job.rejected()] == ["amount: 1.005 has more than 2 decimals"]


def test_files_without_a_good_record_leave_empty_tables(job: Job) -> None:
    """Every declared table is listed, even with no file; a torn file says so."""
    empty = job.raw.put("web_logs/empty", b"")
    torn = job.raw.put("web_logs/torn", gzip.compress(request("u1") * 50)[:-30])
    foreign = job.raw.put("web_logs/parquet", b"PAR1" + bytes(100))
    assert job.run("web_logs", empty, foreign) == 0
    assert {name: (table["rows"], table["files"]) for name, table in job.result["tables"].items()} == {
        "web_events": (0, []),
        "user_activity": (0, []),
        "error_patterns": (0, []),
    }
    assert [file["problem"] for file in job.result["files"]] == [None, "not JSON but a Parquet file"]
    assert job.run("web_logs", torn) == 0
    assert job.result["files"][0]["problem"].startswith("gzip truncated at byte")


def test_a_version_that_is_gone_is_named_as_the_culprit(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """So that the file is set aside and the others go on at once."""
    good = job.raw.put("web_logs/good", request("u1"))
    gone = {**job.raw.put("web_logs/gone", request("u1")), "version": "00000000-0000-0000-0000-000000000000"}
    assert job.run("web_logs", good, gone) == 1
    assert not (job.place / "result.json").exists()
    report = RunFailure.loads(json.dumps(job.failure))
    assert (report.kind, report.file and report.file.identity) == ("file", ("raw", "web_logs/gone", gone["version"]))
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"{job.batch_id} failed (file): s3://raw/web_logs/gone")


def elsewhere(declared: Dataset) -> Dataset:
    """The dataset whose user is inside of another field, and whose status stands in the key."""
    moved = {
        "user_id": {"type": "string(256)", "from": "who.ids[0]", "required": True},
        "status_code": {"type": "int", "from_key": "status={status_code}", "required": True},
    }
    return parse_dataset({**declared.declared, "record": {**declared.declared["record"], **moved}})


def test_fields_come_out_of_other_fields_and_out_of_the_key(job: Job) -> None:
    """Rows of both files of one task, each with its own key's value."""
    job.declared = {"web_logs": elsewhere(job.declared["web_logs"])}
    record = b'{"timestamp":"2026-07-01T12:00:00Z","who":{"ids":["%s"]},"path":"/"}'
    files = [job.raw.put(f"web_logs/status={status}/a", record % user) for status, user in ((404, b"u1"), (200, b"u2"))]
    assert job.run("web_logs", *files) == 0
    events = [(row["user_id"], row["status_code"], row["_rescued"]) for row in job.rows("web_events")]
    assert sorted(events) == [("u1", 404, '{"who":{"ids":["u1"]}}'), ("u2", 200, '{"who":{"ids":["u2"]}}')]


def test_a_file_whose_key_does_not_fit_is_named(job: Job) -> None:
    """It is set aside, and the others go on at once."""
    job.declared = {"web_logs": elsewhere(job.declared["web_logs"])}
    assert job.run("web_logs", job.raw.put("web_logs/status=ok/a", b'{"who":{"ids":["u1"]}}')) == 1
    assert (job.failure["kind"], job.failure["file"]["key"]) == ("file", "web_logs/status=ok/a")
    assert "status_code: 'ok' is not" in job.failure["message"]


def test_a_transform_that_loses_records_fails_the_job(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of facts has a row for every record kept; a difference is never papered over."""
    from spark_jobs.transforms import web_logs

    events = web_logs.web_events
    monkeypatch.setattr(web_logs, "web_events", lambda records: events(records).where("status_code < 400"))
    assert job.run("web_logs", job.raw.put("web_logs/a", request("u1") + request("u1", 500))) == 1
    assert job.failure["message"] == "Unbalanced: rows of web_events: expected 2, found 1"
    assert (job.failure["kind"], job.failure["file"]) == ("unknown", None)


def test_an_overflow_inside_a_transform_is_named(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark names no column of a sum that has no room; the failure does, and asks for a person instead of halves."""
    from spark_jobs.transforms import transactions

    def narrow(facts: DataFrame) -> DataFrame:
        total = F.sum("amount").cast("decimal(3,2)").cast("decimal(18,2)")
        return facts.groupBy("user_id", "transaction_date").agg(
            total.alias("total_amount"), F.count("*").alias("transactions")
        )

    monkeypatch.setattr(transactions, "daily_user_totals", narrow)
    assert job.run("transactions", job.raw.put("transactions/a", sale("t1", "6.00") + sale("t2", "6.00"))) == 1
    assert (job.failure["kind"], job.failure["file"]) == ("beyond", None)
    assert job.failure["message"].startswith(
        "daily_user_totals.total_amount: expected values that fit, found an overflow"
    )


def test_an_order_that_cannot_be_read_ends_with_a_reason(raw: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a spec, there is no output prefix for a report."""
    assert run_batch.main(["--spec", "s3://control/none.json"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("s3://control/none.json failed (unknown): NoSuchKey")


def test_a_transform_that_fails_in_a_task_is_told_by_its_own_line(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is the Python error and where it was raised; the traceback is in failure.json and in the log."""
    from spark_jobs.transforms import web_logs

    code = "def price(path):\n    raise ValueError(f'no price in {path}')\n"
    names: dict[str, Any] = {}
    exec(compile(code, "jobs.zip/spark_jobs/transforms/web_logs.py", "exec"), names)
    price, events = F.udf(names["price"], "string"), web_logs.web_events
    monkeypatch.setattr(web_logs, "web_events", lambda records: events(records).withColumn("path", price("path")))
    assert job.run("web_logs", job.raw.put("web_logs/a", request("u1"))) == 1
    assert (job.failure["kind"], job.failure["message"]) == (
        "unknown",
        "ValueError: no price in / (transforms/web_logs.py:2)",
    )
    assert 'transforms/web_logs.py", line 2, in price' in job.failure["traceback"]
    assert "\tat org.apache" not in job.failure["traceback"]
    log = capsys.readouterr().err
    assert job.failure["traceback"] in log
    assert log.splitlines()[-1].endswith(job.failure["message"])


@pytest.mark.parametrize("name", ["web_logs", "transactions"])
def test_real_files_come_out_as_expected(job: Job, shared: Path, tmp_path: Path, name: str) -> None:
    """The sample data as Firehose lands it, with broken and repeated records: nothing lost, nothing twice."""
    options = ["--dirt", "0.02", "--duplicate", "0.01"]
    land = [sys.executable, str(shared / "tools" / "land.py"), name, "--out", str(tmp_path), *options]
    subprocess.run(land, check=True, capture_output=True)
    expected = json.loads((tmp_path / "expected.json").read_text(encoding="utf-8"))
    files = [job.raw.put(file["key"], (tmp_path / file["key"]).read_bytes()) for file in expected["files"]]
    assert job.run(name, *files) == 0
    totals = job.result["totals"]
    assert totals["rejected"] == expected["dirty"]
    assert totals["kept"] + totals["duplicate_records"] == expected["clean"] + expected["duplicates"]
    if name == "transactions":
        assert totals["kept"] == expected["clean"]
        total = sum(row["total_amount"] for row in job.rows("daily_user_totals"))
        assert total == Decimal(str(expected["sum"]))
    else:
        assert sum(row["events"] for row in job.rows("user_activity")) == totals["kept"]
    shutil.rmtree(job.place)
