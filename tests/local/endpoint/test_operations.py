"""Which operation a request asks for."""

from __future__ import annotations

from typing import Any

import pytest

from local.endpoint.server import Call


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("s3", "ListObjectsV2", {"Bucket": "named"}),
        ("s3", "ListObjectVersions", {"Bucket": "named"}),
        ("s3", "HeadObject", {"Bucket": "named", "Key": "x/y"}),
        ("s3", "PutObject", {"Bucket": "named", "Key": "new"}),
        ("s3", "CopyObject", {"Bucket": "named", "Key": "z", "CopySource": "named/x/y"}),
        ("s3", "CreateMultipartUpload", {"Bucket": "named", "Key": "big"}),
        ("s3", "DeleteObjects", {"Bucket": "named", "Delete": {"Objects": [{"Key": "new"}]}}),
        ("iam", "ListRoles", {}),
        ("sns", "ListTopics", {}),
        ("ssm", "DescribeParameters", {}),
        ("monitoring", "ListMetrics", {}),
    ],
)
def test_a_call_is_told_with_key_service_and_operation(
    aws: Any, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    """The operation is recognised in every protocol, and the access key identifies the caller."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="named")
    s3.put_object(Bucket="named", Key="x/y", Body=b"1")
    caller = aws.client("cloudwatch" if service == "monitoring" else service, access_key="AKIALOCALPlan")
    aws.calls.clear()
    getattr(caller, _snake(caller, operation))(**arguments)
    assert aws.calls == [Call("AKIALOCALPlan", service, operation)]


def _snake(client: Any, operation: str) -> str:
    return next(name for name, api in client.meta.method_to_api_mapping.items() if api == operation)
