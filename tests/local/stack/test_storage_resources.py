"""Buckets, tables and queues."""

from __future__ import annotations

from local.cloud import Cloud


def test_a_bucket_policy_denies_nobody_here(cloud: Cloud) -> None:
    """moto would apply `Deny … unless TLS` to everyone, since it forgets the condition."""
    raw = cloud.deployment.resources["RawBucket"].ref
    cloud.client("s3").put_object(Bucket=raw, Key="ignored-by-work/x", Body=b"1")
    assert cloud.client("s3").get_object(Bucket=raw, Key="ignored-by-work/x")["Body"].read() == b"1"


def test_a_role_is_deployed_with_all_its_policies(cloud: Cloud) -> None:
    """Those of the template and those of AWS, by which the guard decides."""
    [collect] = [one for one in cloud.deployment.grants if one.logical_id == "CollectRole"]
    assert collect.arn == cloud.deployment.resources["CollectRole"].attributes["Arn"]
    assert {name.split("/")[-1] for name in collect.managed} == {
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaSQSQueueExecutionRole",
    }
    actions = [one["Action"] for document in collect.documents for one in document["Statement"]]
    assert "dynamodb:PutItem" in actions


def test_a_managed_policy_is_a_user_of_its_own(cloud: Cloud) -> None:
    """`Ref` is its ARN."""
    [reader] = [one for one in cloud.deployment.grants if one.logical_id == "Readers"]
    assert (reader.is_role, reader.arn) == (False, cloud.deployment.resources["Readers"].ref)
    assert cloud.client("ssm", "Readers").get_parameter(Name="/tidemark/settings")["Parameter"]["Type"] == "String"
