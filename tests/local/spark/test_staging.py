"""Files between S3 and the driver."""

from io import BytesIO

import pyarrow.parquet as pq
import pytest

from local.spark.runner import JobSpec, Outcome, WarmRunner
from tests.local.spark.conftest import WRITES, Cloud, run

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]


def test_a_job_writes_parquet_to_s3(warm: WarmRunner, cloud: Cloud) -> None:
    """Unmodified s3:// URIs: the files arrive in S3 with micro-second timestamps, without the committer's marks."""
    outcome = run(warm, cloud.job(WRITES, "s3://lake/batches/a/", helper="NAME = 'first'"))
    assert outcome == Outcome(0, "")
    result, parquet = cloud.keys("batches/a/")
    assert (result, parquet.endswith(".zstd.parquet")) == ("batches/a/result.json", True)
    schema = pq.ParquetFile(BytesIO(cloud.read(parquet))).schema
    assert str(schema.column(1).logical_type.to_json()).find("microseconds") > 0
    assert cloud.read(result) == b"first"


def test_a_failing_job_tells_why_and_leaves_only_its_story(warm: WarmRunner, cloud: Cloud) -> None:
    """An exception is exit code 1 with the error last; of what was written only failure.json is uploaded."""
    text = WRITES.replace("result.json", "failure.json").replace("spark.stop()", "raise ValueError('no such column')")
    outcome = run(warm, cloud.job(text, "s3://lake/batches/b/", helper="NAME = 'story'"))
    assert outcome.exit_code == 1
    assert outcome.details.endswith("ValueError: no such column")
    assert cloud.keys("batches/b/") == ["batches/b/failure.json"]


def test_missing_code_is_a_failure(warm: WarmRunner, cloud: Cloud) -> None:
    """The error for an entry point that is not in S3 names its URI; the driver is not called."""
    outcome = run(warm, JobSpec("none", "s3://control/none.py"))
    assert (outcome.exit_code, "s3://control/none.py" in outcome.details) == (1, True)
