"""The commands of the README, run as a person runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from local.sample_data.generate import Expected, generate, write
from local.sample_data.records import SOURCES

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
KEPT_ONCE = ("transactions", "content")
CLEAN_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def tidemark(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """One command, as a process of its own."""
    command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, **options)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Expected]]:
    """Sample traffic for every dataset, with dirt and repetitions, and what must come out."""
    folder = tmp_path_factory.mktemp("landed")
    expected = {name: write(generate(name, 3, 800, START, dirt=0.05, duplicates=0.03), folder) for name in SOURCES}
    return folder, expected


@pytest.fixture(scope="module")
def done(landed: tuple[Path, dict[str, Expected]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`tidemark local run` over it."""
    out = tmp_path_factory.mktemp("run") / "out"
    return tidemark("local", "run", landed[0], "--out", out, env=CLEAN_ENVIRONMENT), out


def test_more_rejected_than_tolerated_is_exit_status_one(done: Any) -> None:
    """Five records in a hundred are dirt, one is tolerated: the run says so and ends with 1."""
    finished, _ = done
    assert (finished.returncode, finished.stderr) == (1, "")
    assert "tolerated" in finished.stdout


def test_the_summary_counts_what_the_generator_says(done: Any, landed: Any) -> None:
    """Records read, rejected and dropped as duplicates agree with the totals that the traffic was made with."""
    summary = json.loads((done[1] / "summary.json").read_text())
    for name, expected in landed[1].items():
        counted = summary["datasets"][name]
        duplicates = expected.duplicates if name in KEPT_ONCE else 0
        figures = (counted["read"], counted["rejected"], counted["duplicate_records"])
        assert figures == (expected.records, expected.dirty, duplicates)
        assert {batch["state"] for batch in counted["batches"]} == {"LOADED"}
    assert summary["differences"] == []


def test_the_warehouse_file_answers_by_plain_names(done: Any, landed: Any) -> None:
    """A DuckDB shell shows tables and views, money to the cent."""
    with duckdb.connect(str(done[1] / "warehouse.duckdb"), read_only=True) as warehouse:
        rows = warehouse.execute("SELECT COUNT(*) FROM web_events").fetchone()
        money = warehouse.execute("SELECT SUM(total_amount) FROM daily_user_totals").fetchone()
    assert rows == (landed[1]["web_logs"].clean + landed[1]["web_logs"].duplicates,)
    assert money == (landed[1]["transactions"].sums["amount"],)


def test_the_warehouse_shows_rates_and_the_latest_rows(done: Any, landed: Any) -> None:
    """Views and clicks are all the events there are, and no household stands in the exports' table twice."""
    with duckdb.connect(str(done[1] / "warehouse.duckdb"), read_only=True) as warehouse:
        events = warehouse.execute("SELECT SUM(views + clicks) FROM content_performance").fetchone()
        wrong = warehouse.execute(
            "SELECT COUNT(*) FROM content_performance WHERE click_through_rate <> clicks / views"
        ).fetchone()
        customers = warehouse.execute("SELECT COUNT(*), COUNT(DISTINCT household_id) FROM customers").fetchone()
        exported = warehouse.execute("SELECT COUNT(*) FROM customers_by_batch").fetchone()
    assert (events, wrong) == ((landed[1]["content"].clean,), (0,))
    assert customers[0] == customers[1] > 450
    assert exported == (landed[1]["customers"].clean,)


def test_the_lake_is_read_by_pyiceberg_and_by_duckdb(done: Any, landed: Any) -> None:
    """The exported tables are Iceberg tables in a catalog file, over plain Parquet files."""
    lake, clean = done[1] / "lake", landed[1]["transactions"].clean
    catalog = SqlCatalog("lake", uri=f"sqlite:///{lake / 'catalog.db'}")
    assert catalog.load_table(("lake", "transactions")).scan().count() == clean
    catalog.engine.dispose()
    with duckdb.connect() as connection:
        counted = connection.execute(f"SELECT COUNT(*) FROM read_parquet('{lake}/transactions/data/*.parquet')")
        assert counted.fetchone() == (clean,)


def test_rejected_records_say_where_and_why(done: Any, landed: Any) -> None:
    """One line a record, with file, position, reason and the raw text."""
    lines = [line for path in (done[1] / "quarantine").glob("*.jsonl") for line in path.read_text().splitlines()]
    records = [json.loads(line) for line in lines]
    assert len(records) == sum(expected.dirty for expected in landed[1].values())
    assert all(record["file"].startswith("s3://tidemark-raw-") for record in records)
    assert all(record["position"] >= 0 and record["reason"] and record["raw"] for record in records)


# ── a cloud that stays up ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def up() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`tidemark local up --port 0` in a process group of its own, and its endpoint."""
    command = [sys.executable, "-m", "cli.main", "local", "up", "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=CLEAN_ENVIRONMENT,
        start_new_session=True,
    )
    assert process.stdout
    said = ""
    while "Logs:" not in said:
        line = process.stdout.readline()
        assert line, f"the laptop cloud did not come up: {said}"
        said += line
    yield process, re.search(r"http://127\.0\.0\.1:\d+", said)[0]  # type: ignore[index]
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def environment(endpoint: str) -> dict[str, str]:
    """What `local up` tells a person to export."""
    names = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
    return CLEAN_ENVIRONMENT | names | {"AWS_ENDPOINT_URL": endpoint}


def test_the_pipeline_runs_by_itself_while_the_cloud_is_up(up: Any) -> None:
    """Any S3 client puts an object, and a moment later the warehouse answers and the file's story is told."""
    _, endpoint = up
    bucket, key = "tidemark-raw-123456789012-us-east-1", "web_logs/2026/11/20/08/one file+more%20.json"
    record = {"timestamp": "2026-11-20T08:00:00Z", "user_id": "u1", "status_code": 200, "path": "/"}
    boto3.client("s3", endpoint_url=endpoint).put_object(Bucket=bucket, Key=key, Body=json.dumps(record))
    deadline = time.monotonic() + 180
    while "LOADED" not in (told := tidemark("explain", f"s3://{bucket}/{key}", env=environment(endpoint)).stdout):
        assert time.monotonic() < deadline, told
        time.sleep(1)
    assert "1 read = 1 kept + 0 rejected" in told
    answered = tidemark("query", "SELECT user_id, status_code FROM web_events", env=environment(endpoint))
    assert "u1       200" in answered.stdout
    assert "LOADED 1" in tidemark("status", env=environment(endpoint)).stdout


def test_an_interrupt_in_the_middle_ends_everything_cleanly(up: Any) -> None:
    """Ctrl-C while a batch is under way: exit status 0, no stack trace in any log, no process left behind."""
    process, endpoint = up
    put = boto3.client("s3", endpoint_url=endpoint).put_object
    for number in range(20):
        body = json.dumps({"timestamp": "2026-11-20T08:00:00Z", "user_id": f"u{number}", "status_code": 200})
        put(Bucket="tidemark-raw-123456789012-us-east-1", Key=f"web_logs/late-{number}", Body=body)
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    logs = Path(re.search(r"logs in (\S+)", said)[1])  # type: ignore[index]
    assert "Traceback" not in said + "".join(path.read_text(errors="replace") for path in logs.iterdir())
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


# ── wrong input ─────────────────────────────────────────────────────────────────────────────────────────────

WRONG = [
    (("local",), "expected a command (run, up), found none"),
    (("fly",), "expected a command, found 'fly'"),
    (("local", "run", "nowhere", "--out", "out"), "expected a folder of files to land, found no folder nowhere"),
    (("local", "run", "empty", "--out", "out"), "expected files below empty, found none"),
    (("local", "run", "full", "--out", "full"), "expected an empty or new folder for the results, found full in use"),
    (("local", "up", "--port", "70000"), "expected a port from 0 to 65535, found '70000'"),
    (("traffic", "out", "--records", "none"), "expected a whole number from 1, found 'none'"),
    (("traffic", "out", "--datasets", "content", "weather"), "no sample traffic for dataset 'weather', only for"),
    (("validate", "empty"), "expected declarations *.yaml, found none"),
    (("validate", "full"), "full/wrong.yaml:1: expected a mapping, found 'no'"),
    (("status",), "is `tidemark local up` running, or is AWS configured?"),
    (("explain", "web_logs/1"), "is `tidemark local up` running, or is AWS configured?"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_input_is_one_line_and_exit_status_two(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """It says what was expected and what was found, and leaves nothing behind."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "wrong.yaml").write_text("'no'")
    places = {"PYTHONPATH": os.pathsep.join(sys.path), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    finished = tidemark(*arguments, cwd=tmp_path, env=environment("http://127.0.0.1:9") | places)
    assert finished.returncode == 2
    assert message in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]
