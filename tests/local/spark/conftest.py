"""A cloud of one bucket, and a warm driver."""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO

import pytest

from local.spark.runner import ColdRunner, JobSpec, Outcome, WarmRunner, Workspace
from tests.local.stand_ins import client, moto


class Cloud:
    """moto's S3 with a bucket for code and one for output."""

    def __init__(self, url: str) -> None:
        self.url, self.s3 = url, client("s3", url)
        for bucket in ("control", "lake"):
            self.s3.create_bucket(Bucket=bucket)

    def job(
        self, text: str, *arguments: str, helper: str | None = None, properties: dict[str, str] | None = None
    ) -> JobSpec:
        """Upload the job (and its module `helper`) and describe it."""
        name = f"run{time.monotonic_ns()}"
        self.s3.put_object(Bucket="control", Key=f"jobs/{name}.py", Body=text.encode())
        parameters: tuple[str, ...] = ("--conf", "spark.executor.memory=3g")
        if helper is not None:
            self.s3.put_object(Bucket="control", Key=f"jobs/{name}.zip", Body=zipped("helper.py", helper))
            parameters += ("--py-files", f"s3://control/jobs/{name}.zip")
        return JobSpec(name, f"s3://control/jobs/{name}.py", arguments, parameters, properties or {})

    def keys(self, prefix: str) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])]

    def read(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket="lake", Key=key)["Body"].read())


def zipped(name: str, text: str) -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(name, text)
    return sink.getvalue()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with moto() as url:
        yield Cloud(url)


@pytest.fixture(scope="module")
def workspace(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("state"), cloud.url, cores=2)


@pytest.fixture(scope="module")
def warm(workspace: Workspace) -> Iterator[WarmRunner]:
    runner = WarmRunner(workspace)
    yield runner
    runner.stop()


def run(runner: WarmRunner | ColdRunner, job: JobSpec) -> Outcome:
    return runner.run(job, threading.Event())


WRITES = """
import sys
from pyspark.sql import SparkSession
from helper import NAME
spark = SparkSession.builder.appName("job").getOrCreate()
output = sys.argv[1]
rows = spark.range(10).selectExpr("id", "timestamp_micros(id) AS at")
same = rows.mapInArrow(lambda batches: batches, rows.schema)
same.coalesce(1).write.parquet(output + "tables/x/", compression="zstd")
path = spark._jvm.org.apache.hadoop.fs.Path(output + "result.json")
stream = path.getFileSystem(spark._jsc.hadoopConfiguration()).create(path)
stream.write(bytearray(NAME.encode()))
stream.close()
spark.stop()
"""
