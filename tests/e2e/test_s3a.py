"""The job through hadoop-aws, as on EMR: S3A and its magic committer, against an S3 server on this machine.

The jars come from Maven Central and are not on any Python package index, so CI, which has only the latter, skips this.
`make s3a` runs it: Spark downloads hadoop-aws and AWS's SDK (about 280 MB) once, into ~/.ivy2.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from local.spark.jvm import java_environment, spark_home
from tests.local.stand_ins import client, moto
from tidemark.adapters.dataset_files import load_file

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.spark,
    pytest.mark.skipif("TIDEMARK_S3A" not in os.environ, reason="`make s3a` fetches the jars from Maven Central"),
]
ROOT = Path(__file__).resolve().parents[2]
PREFIX = "batches/web_logs/web_logs.20260701T000000.00000000/0001/"
CLOUD = "org.apache.spark.internal.io.cloud"


@pytest.fixture
def endpoint() -> Iterator[str]:
    with moto() as url:
        yield url


def versions() -> tuple[str, str]:
    """The versions of Hadoop and Spark whose classes PySpark has."""
    jars = spark_home() / "jars"
    [hadoop], [spark] = jars.glob("hadoop-client-api-*.jar"), jars.glob("spark-core_2.12-*.jar")
    return hadoop.stem.rpartition("-")[2], spark.stem.rpartition("-")[2]


def settings(endpoint: str) -> dict[str, str]:
    """What EMR's Spark has by default, and the S3 server."""
    hadoop, spark = versions()
    packages = f"org.apache.hadoop:hadoop-aws:{hadoop},org.apache.spark:spark-hadoop-cloud_2.12:{spark}"
    return {
        "spark.master": "local[2]",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.jars.packages": packages,
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.access.key": "local",
        "spark.hadoop.fs.s3a.secret.key": "local",
        "spark.hadoop.fs.s3a.committer.name": "magic",
        "spark.hadoop.mapreduce.outputcommitter.factory.scheme.s3": (
            "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory"
        ),
        "spark.sql.sources.commitProtocolClass": f"{CLOUD}.PathOutputCommitProtocol",
        "spark.sql.parquet.output.committer.class": f"{CLOUD}.BindingParquetOutputCommitter",
    }


def stage(s3: Any) -> str:
    """Writes a raw file, a manifest and a job spec; the spec's URI."""
    for bucket in ("raw", "control", "lake"):
        s3.create_bucket(Bucket=bucket)
    record = {"timestamp": "2026-07-01T00:00:00Z", "user_id": "u1", "status_code": 200, "path": "/"}
    body = json.dumps(record).encode() * 3
    s3.put_bucket_versioning(Bucket="raw", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="raw", Key="web_logs/a", Body=body)["VersionId"]
    file = {"bucket": "raw", "key": "web_logs/a", "version": version, "size": len(body)}
    identity = {"batch_id": "web_logs.20260701T000000.00000000", "attempt": 1}
    manifest = {**identity, "dataset": "web_logs", "bytes": len(body), "files": [file]}
    declared = load_file(ROOT / "datasets" / "web_logs.yaml").declared
    spec = {
        **identity, "dataset": declared, "manifest": f"s3://control/{PREFIX}manifest.json",
        "output": f"s3://lake/{PREFIX}",
    }  # fmt: skip
    for name, document in (("manifest.json", manifest), ("job_spec.json", spec)):
        s3.put_object(Bucket="control", Key=PREFIX + name, Body=json.dumps(document).encode())
    return f"s3://control/{PREFIX}job_spec.json"


def test_the_job_writes_through_s3a(endpoint: str) -> None:
    """Its files lie at their final place, none is left of the committer's own, and the report counts the rows."""
    s3 = client("s3", endpoint)
    spec = stage(s3)
    surroundings = {
        **os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1", "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "functions"))),
    }  # fmt: skip
    words = [word for name, value in settings(endpoint).items() for word in ("--conf", f"{name}={value}")]
    command = [str(spark_home() / "bin" / "spark-submit"), *words, "spark_jobs/run_batch.py", "--spec", spec]
    done = subprocess.run(
        command, cwd=ROOT, env=java_environment(surroundings), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    keys = [listed["Key"] for listed in s3.list_objects_v2(Bucket="lake")["Contents"]]
    assert not [key for key in keys if "__magic" in key or "_temporary" in key or key.endswith("_$folder$")]
    [events] = [key for key in keys if "/web_events/" in key and key.endswith(".gz.parquet")]
    body = s3.get_object(Bucket="lake", Key=events)["Body"].read()
    result = json.loads(s3.get_object(Bucket="lake", Key=f"{PREFIX}result.json")["Body"].read())
    assert pq.read_metadata(BytesIO(body)).num_rows == result["tables"]["web_events"]["rows"] == 3
