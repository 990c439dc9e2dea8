"""A run may write its own attempt and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from local.iam.policy import Request, decide, parse
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.job import DataFile, JobSpec
from tidemark.core.run_policy import POLICY_CHARACTERS_MAX, run_policy

OWN = "batches/web/web.20260301T120000.aaaaaaaa"
OTHER = "batches/web/web.20260301T120000.bbbbbbbb"


def spec(dataset: Dataset, **more: Any) -> JobSpec:
    named = replace(dataset, name="web")
    manifest, output = f"s3://control/{OWN}/0001/manifest.json", f"s3://lake/{OWN}/0002/"
    return JobSpec("web.20260301T120000.aaaaaaaa", 2, named, manifest, output, **more)


def may(policy: str, action: str, resource: str) -> bool:
    return decide(parse(json.loads(policy)), Request(f"s3:{action}", f"arn:aws:s3:::{resource}")).allowed


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("GetObject", f"control/{OWN}/0001/manifest.json", True),
        ("GetObject", f"control/{OWN}/0002/job_spec.json", True),
        ("GetObject", "control/jobs/run_batch.py", True),
        ("GetObjectVersion", "raw/web/2026/a.json", True),
        ("PutObject", f"lake/{OWN}/0002/result.json", True),
        ("AbortMultipartUpload", f"lake/{OWN}/0002/tables/t/a.parquet", True),
        ("ListBucket", "lake", True),
        ("GetObject", f"control/{OTHER}/0001/manifest.json", False),
        ("PutObject", f"lake/{OWN}/0001/result.json", False),
        ("PutObject", f"lake/{OTHER}/0001/result.json", False),
        ("DeleteObject", "lake/tables/t/metadata/1.json", False),
        ("GetObject", "lake/tables/t/metadata/1.json", False),
        ("PutObject", "control/jobs/run_batch.py", False),
        ("PutObject", "raw/web/2026/a.json", False),
        ("DeleteObjectVersion", "raw/web/2026/a.json", False),
    ],
)
def test_a_run_reaches_its_own_batch_alone(dataset: Dataset, action: str, resource: str, expected: bool) -> None:
    """Its documents and code, raw files, and the prefix of its own attempt; not even that of an earlier attempt."""
    assert may(run_policy(spec(dataset), "raw"), action, resource) is expected


def test_a_run_that_looks_for_seen_keys_may_read_its_datasets_batches(dataset: Dataset) -> None:
    """Their key files lie with the batches that wrote them; without deduplication they are closed."""
    seen = run_policy(spec(dataset, seen=(DataFile("s3://lake/k", 1, 1),)), "raw")
    assert may(seen, "GetObject", f"lake/{OTHER}/0001/keys/a.parquet")
    assert not may(seen, "GetObject", "lake/batches/sales/x/0001/keys/a.parquet")
    assert not may(run_policy(spec(dataset), "raw"), "GetObject", f"lake/{OTHER}/0001/keys/a.parquet")


def test_a_nightly_run_may_read_the_lake_and_no_raw_file() -> None:
    """Its tables' files belong to batches of any dataset."""
    table = {"columns": {"day": "date", "amount": "bigint"}, "day": "day"}
    nightly = parse_dataset({"name": "web", "every": "day", "reads": {"sales": "period"}, "tables": {"totals": table}})
    policy = run_policy(spec(nightly), "raw")
    assert may(policy, "GetObject", "lake/batches/sales/x/0001/tables/t/a.parquet")
    assert may(policy, "GetObject", "lake/tables/t/data/a.parquet")
    assert not may(policy, "GetObject", "raw/web/2026/a.json")
    assert not may(policy, "PutObject", "lake/tables/t/data/a.parquet")


def test_the_policy_fits_with_the_longest_names(dataset: Dataset) -> None:
    """EMR takes 2,048 characters; bucket names have up to 63, batch ids up to 57, and the partition may be China's."""
    name, bucket = "d" * 32, "b" * 63
    batch = f"{name}.20260301T120000.aaaaaaaa"
    long = JobSpec(
        batch,
        1,
        replace(dataset, name=name),
        f"s3://{bucket}/batches/{name}/{batch}/0001/manifest.json",
        f"s3://{bucket}/batches/{name}/{batch}/0001/",
        seen=(),
    )
    policy = run_policy(long, bucket, "aws-us-gov")
    assert len(policy) <= POLICY_CHARACTERS_MAX
    assert "arn:aws-us-gov:s3:::" in policy
    assert "arn:aws:" not in policy
    assert policy.isascii()
