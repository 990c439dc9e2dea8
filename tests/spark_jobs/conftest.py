"""One Spark session for all, and a stage: an S3 server, and a lake bucket that is a folder."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pyspark.sql import SparkSession

from spark_jobs import run_batch
from spark_jobs.engine import s3_objects, writer
from tidemark.adapters.dataset_files import load_file
from tidemark.core.dataset import Dataset

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
