"""A proof in an account uses a stack of its own, and takes nothing else down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.stack.template import expand, load
from prove.account import REMOVERS, check_name, remove_retained, resources_of
from tidemark.core.errors import TidemarkError

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = '{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "prove-a-raw"}}}}'


def client(service: str) -> Any:
    """A client of moto's account."""
    return boto3.client(service)  # type: ignore[call-overload]


@pytest.fixture
def account() -> Iterator[None]:
    """An empty account."""
    with mock_aws():
        yield


@pytest.mark.parametrize(
    "stack", ["tidemark", "prove", "prove-", "prove-A", "prove-x_y", "my-prove-a", "prove-" + "a" * 22]
)
def test_only_a_stack_of_its_own_is_proved(stack: str) -> None:
    """A name that could be another stack's, or that buckets could not have, is refused before anything happens."""
    with pytest.raises(TidemarkError, match="a proof takes its stack down"):
        check_name(stack)


def test_a_name_with_the_prefix_is_accepted() -> None:
    """Letters, digits and hyphens, as short as buckets need."""
    check_name("prove-2026-11-28")


def test_a_stack_is_known_by_its_resources(account: None) -> None:
    """A stack that does not exist has none."""
    client("cloudformation").create_stack(StackName="prove-a", TemplateBody=TEMPLATE)
    assert resources_of(client, "prove-a") == [("AWS::S3::Bucket", "prove-a-raw")]
    assert resources_of(client, "prove-b") == []


def test_what_a_deletion_keeps_is_removed_with_all_its_versions(account: None) -> None:
    """Bucket, table and database go, full as they are; other resources and what is gone already do not matter."""
    s3, region = client("s3"), {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="prove-a-raw")
    s3.put_bucket_versioning(Bucket="prove-a-raw", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="prove-a-raw", Key="k", Body=body)
    s3.delete_object(Bucket="prove-a-raw", Key="k")
    s3.create_bucket(Bucket="others", CreateBucketConfiguration=region)
    keys = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
    attributes = [{"AttributeName": "pk", "AttributeType": "S"}]
    client("dynamodb").create_table(
        TableName="prove-a-ledger", AttributeDefinitions=attributes, DeletionProtectionEnabled=True, **keys
    )
    client("glue").create_database(DatabaseInput={"Name": "prove_a"})

    removed = remove_retained(
        client,
        [
            ("AWS::S3::Bucket", "prove-a-raw"),
            ("AWS::S3::Bucket", "prove-a-gone"),
            ("AWS::DynamoDB::Table", "prove-a-ledger"),
            ("AWS::Glue::Database", "prove_a"),
            ("AWS::IAM::Role", "prove-a-role"),
        ],
    )

    assert removed == ["prove-a-raw", "prove-a-ledger", "prove_a"]
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["others"]
    assert client("dynamodb").list_tables()["TableNames"] == []


def test_whatever_the_template_retains_can_be_removed() -> None:
    """A proof leaves nothing behind that costs money."""
    resources = expand(load(ROOT / "template.yaml"))["Resources"]
    kept = {one["Type"] for one in resources.values() if str(one.get("DeletionPolicy", "")).startswith("Retain")}
    assert kept
    assert kept <= {*REMOVERS}
