"""Buckets, tables and queues."""

from __future__ import annotations

from local.cloud import Cloud


def test_a_bucket_policy_denies_nobody_here(cloud: Cloud) -> None:
    """moto would apply `Deny … unless TLS` to everyone, since it forgets the condition."""
    raw = cloud.deployment.resources["RawBucket"].ref
    cloud.client("s3").put_object(Bucket=raw, Key="ignored-by-work/x", Body=b"1")
    assert cloud.client("s3").get_object(Bucket=raw, Key="ignored-by-work/x")["Body"].read() == b"1"
