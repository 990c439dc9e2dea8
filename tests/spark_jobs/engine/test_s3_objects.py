"""Exactly the versions that a manifest names, fetched from S3."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from spark_jobs.engine import s3_objects
from tests.spark_jobs.conftest import Job, request
from tidemark.core.files import FileVersion


def test_the_exact_version_is_read_under_any_key(job: Job) -> None:
    """A key that Hadoop would refuse or skip, and content that has been overwritten since."""
    key = "web_logs/_tmp/.hidden/a:b c+ü%20=_1"
    old = job.raw.put(key, request("old"))
    job.raw.put(key, request("new"))
    assert job.run("web_logs", old) == 0
    assert [(row["user_id"], row["_file"]) for row in job.rows("web_events")] == [("old", f"s3://raw/{key}")]


def test_a_file_of_an_unversioned_bucket_is_known_by_its_etag(job: Job) -> None:
    """It is read while it is the same, and blamed when it was overwritten."""
    s3 = job.raw.s3
    etag = s3.put_object(Bucket="control", Key="web_logs/a", Body=request("u1"))["ETag"].strip('"')
    file = {**job.raw.put("web_logs/a", b""), "bucket": "control", "version": f"etag:{etag}"}
    assert job.run("web_logs", file) == 0
    s3.put_object(Bucket="control", Key="web_logs/a", Body=request("u2"))
    assert job.run("web_logs", file) == 1
    assert (job.failure["kind"], job.failure["file"]["version"]) == ("file", f"etag:{etag}")


def test_a_large_object_is_read_in_ranges(raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, files stay in order, and the rest of a file that is not read to the end is skipped."""
    monkeypatch.setattr(s3_objects, "PART", 1_000)
    bodies = [bytes([number]) * size for number, size in enumerate((2_500, 10, 0, 1_000, 20_000))]
    files = [FileVersion.from_json(raw.put(f"web_logs/part{number}", body)) for number, body in enumerate(bodies)]
    got = [(index, b"".join(parts)) for index, _, parts in s3_objects.fetch(enumerate(files))]
    assert got == list(enumerate(bodies))
    assert [len(next(parts)) for _, _, parts in s3_objects.fetch(enumerate(files))] == [1_000, 10, 0, 1_000, 1_000]


def test_the_region_is_the_one_that_emr_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """EMR Serverless sets AWS_REGION alone, which boto3 does not read: it would ask us-east-1 for every file."""
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert s3_objects.client.__wrapped__().meta.region_name == "eu-central-1"


@pytest.mark.parametrize(
    ("code", "kind", "named"),
    [
        ("NoSuchVersion", "file", True),
        ("AccessDenied", "denied", True),
        ("SlowDown", "transient", False),
        ("AuthorizationHeaderMalformed", "unknown", False),
    ],
)
def test_a_refusal_names_the_file_only_if_it_may_be_the_files(
    monkeypatch: pytest.MonkeyPatch, code: str, kind: str, named: bool
) -> None:
    """Access may be denied to all files or to one: with the name, the control plane can set that one aside."""

    class Refusing:
        def get_object(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")

    monkeypatch.setattr(s3_objects, "client", Refusing)
    file = FileVersion("raw", "web_logs/a", "v1", 5)
    with pytest.raises(s3_objects.ReadError) as raised:
        list(s3_objects.fetch([(0, file)]))
    report = s3_objects.ReadError.parse(str(raised.value))
    assert report is not None
    assert (report.kind, bool(report.file)) == (kind, named)
