"""One Spark session for all, and a stage: an S3 server, and a lake bucket that is a folder."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from pyspark.sql import DataFrame, SparkSession

from spark_jobs import run_batch
from spark_jobs.engine import s3_objects, writer
from spark_jobs.transforms import web_logs
from tidemark.adapters.dataset_files import load_file
from tidemark.core.dataset import Dataset
from tidemark.core.manifest import Manifest

LAKE = "lake"


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that s3://lake maps to."""
    folder = tmp_path_factory.mktemp("stage") / LAKE
    folder.mkdir()
    return folder


def _serve(told: Connection) -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request helps nobody
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    told.send(server.get_host_and_port())
    told.recv()  # until the tests are through, or gone


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A server that speaks S3; the reader, too, finds it by AWS_ENDPOINT_URL.

    In a process of its own: `mock_aws` of other tests would empty its buckets.
    """
    near, far = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=_serve, args=(far,), daemon=True)
    server.start()
    host, port = near.recv()
    os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
    s3_objects.client.cache_clear()
    yield os.environ["AWS_ENDPOINT_URL"]
    del os.environ["AWS_ENDPOINT_URL"]
    s3_objects.client.cache_clear()
    server.terminate()
    server.join()


@pytest.fixture(scope="session")
def spark(s3_endpoint: str, lake: Path) -> Iterator[SparkSession]:
    """Two cores, and s3:// as the laptop has it: a folder for each bucket."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]")
    for key, value in {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "2g",  # one JVM serves hundreds of tests
        "spark.sql.ui.retainedExecutions": "10",  # plans that nobody looks at fill the heap
        "spark.ui.retainedJobs": "10",
        "spark.ui.retainedStages": "10",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.viewfs.overload.scheme.target.file.impl": "org.apache.hadoop.fs.LocalFileSystem",
        f"spark.hadoop.fs.viewfs.mounttable.{LAKE}.linkFallback": lake.as_uri(),
    }.items():
        builder = builder.config(key, value)
    builder.getOrCreate()
    session = writer.session("tests")
    yield session
    session.stop()


@dataclass(frozen=True)
class Bucket:
    """A versioned bucket of the S3 server."""

    s3: Any
    name: str = "raw"

    def put(self, key: str, body: bytes) -> dict[str, Any]:
        """The object, as the manifest names it."""
        version = self.s3.put_object(Bucket=self.name, Key=key, Body=body)["VersionId"]
        return {
            "bucket": self.name,
            "key": key,
            "version": version,
            "size": len(body),
            "landed_at": None,
            "sequencer": None,
        }


class Attempt:
    """Asks for attempts as the control plane does, runs the job, and reads what it left."""

    def __init__(self, s3: Any, lake: Path) -> None:
        self.s3, self.lake = s3, lake

    def begin(self, dataset: Dataset, batch_id: str, attempt: int, manifest: str) -> int:
        """The exit code of the job; `manifest` is the document's text."""
        prefix = f"batches/{dataset.name}/{batch_id}/{attempt:04d}"
        self.batch_id, self.place = batch_id, self.lake / prefix
        spec = {
            "batch_id": batch_id,
            "attempt": attempt,
            "dataset": dict(dataset.declared),
            "manifest": f"s3://control/{prefix}/manifest.json",
            "output": f"s3://{LAKE}/{prefix}/",
        }
        for name, text in (("manifest", manifest), ("job_spec", json.dumps(spec))):
            self.s3.put_object(Bucket="control", Key=f"{prefix}/{name}.json", Body=text.encode())
        return run_batch.main(["--spec", f"s3://control/{prefix}/job_spec.json"])

    @property
    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.place / "result.json").read_text(encoding="utf-8"))
        return result

    @property
    def failure(self) -> dict[str, Any]:
        key = (self.place / "failure.json").relative_to(self.lake)
        failure: dict[str, Any] = json.loads(self.s3.get_object(Bucket=LAKE, Key=str(key))["Body"].read())
        return failure

    def local(self, uri: str) -> Path:
        """Where an object of the lake lies."""
        return self.lake / uri.removeprefix(f"s3://{LAKE}/")


@pytest.fixture(scope="session")
def raw(s3_endpoint: str) -> Bucket:
    """Where files land."""
    s3 = boto3.client("s3", endpoint_url=s3_endpoint)
    for name in ("raw", "control", LAKE):
        s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
    return Bucket(s3)


@pytest.fixture(scope="session")
def declared(root: Path) -> dict[str, Dataset]:
    """The datasets of the repository, by name."""
    return {
        name: load_file(root / "datasets" / f"{name}.yaml")
        for name in ("web_logs", "transactions", "content", "customers")
    }


NUMBERS = count(1)


class Job(Attempt):
    """Attempts at batches of raw files."""

    def __init__(self, raw: Any, lake: Path, declared: dict[str, Dataset]) -> None:
        super().__init__(raw.s3, lake)
        self.raw, self.declared = raw, declared

    def run(self, name: str, *files: dict[str, Any], attempt: int = 1) -> int:
        batch_id = f"{name}.20260701T120000.{next(NUMBERS):08x}"
        manifest = {"batch_id": batch_id, "attempt": attempt, "dataset": name, "files": files, "bytes": 0}
        self.manifest = Manifest.loads(json.dumps(manifest))
        return self.begin(self.declared[name], batch_id, attempt, json.dumps(manifest))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of the files in the result, each file read separately."""
        files = self.result["tables"][table]["files"]
        return [row for file in files for row in pq.ParquetFile(self.local(file["uri"])).read().to_pylist()]

    def rejected(self) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for file in self.result["rejected"]["files"]
            for line in self.local(file["uri"]).read_text(encoding="utf-8").splitlines()
        ]


@pytest.fixture
def job(
    spark: SparkSession, raw: Any, lake: Path, declared: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch
) -> Job:
    """A job that leaves the session to the other tests."""
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)
    return Job(raw, lake, declared)


def request(user: str, status: int = 200, day: int = 1, **more: Any) -> bytes:
    record = {"timestamp": f"2026-07-{day:02d}T12:00:00Z", "user_id": user, "status_code": status, "path": "/", **more}
    return json.dumps(record).encode()


NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


LATE = datetime(2026, 7, 1, 23, 59, 59, 999999, tzinfo=UTC)


NEXT = datetime(2026, 7, 2, tzinfo=UTC)


def records(spark: SparkSession, dataset: Dataset, *rows: tuple[Any, ...]) -> DataFrame:
    """What a transform is given: the declared fields and `_file`."""
    schema = ", ".join(f"`{field.name}` {field.type.spark}" for field in dataset.record)
    return spark.createDataFrame([(*row, "s3://raw/a") for row in rows], f"{schema}, _file string")


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, frame.collect()), key=str)


def schema(frame: DataFrame) -> list[tuple[str, str]]:
    return [(field.name, field.dataType.simpleString()) for field in frame.schema]


@pytest.fixture
def requests(spark: SparkSession, declared: dict[str, Dataset]) -> dict[str, DataFrame]:
    return web_logs.transform(
        records(
            spark,
            declared["web_logs"],
            (NOON, "u1", "page_view", 200, "GET", "/", 512, None, "curl"),
            (LATE, "u1", "page_view", 404, "GET", "/x", None, "/", "curl"),
            (NEXT, "u1", "asset", 404, "GET", "/x", 0, "/", "curl"),
            (NOON, "u2", "asset", 500, "GET", "/x", 0, None, None),
            (LATE, "u2", "asset", 399, "GET", "/y", 0, None, None),
        )
    )
