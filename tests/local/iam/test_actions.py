"""Each call needs the permissions that the Service Authorization Reference lists for it."""

from __future__ import annotations

from typing import Any

import pytest

from local.iam.actions import Asked, Names, UnmappedCall, needs

ACCOUNT = "us-east-1:123456789012"
TABLE = f"arn:aws:dynamodb:{ACCOUNT}:table/ledger"
APPLICATION = f"arn:aws:emr-serverless:{ACCOUNT}:/applications/00f1"
WORKGROUP = f"arn:aws:redshift-serverless:{ACCOUNT}:workgroup/1"
NAMES = Names({"warehouse": WORKGROUP}, "api1", {"s1": "AROA:Load"}.get)


def permissions(service: str, operation: str, **more: Any) -> list[tuple[str, str]]:
    return [(one.action, one.resource) for one in needs(Asked(service, operation, **more), NAMES)]


def s3(operation: str, path: str = "/lake/a/b", **more: Any) -> list[tuple[str, str]]:
    short = permissions("s3", operation, path=path, **more)
    return [(action, resource.removeprefix("arn:aws:s3:::")) for action, resource in short]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("GetObject", "s3:GetObject"),
        ("HeadObject", "s3:GetObject"),
        ("PutObject", "s3:PutObject"),
        ("CreateMultipartUpload", "s3:PutObject"),
        ("UploadPart", "s3:PutObject"),
        ("CompleteMultipartUpload", "s3:PutObject"),
        ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
        ("ListParts", "s3:ListMultipartUploadParts"),
        ("DeleteObject", "s3:DeleteObject"),
    ],
)
def test_an_operation_on_an_object_needs_its_action_on_the_object(operation: str, expected: str) -> None:
    """A multipart upload is a PutObject; HeadObject has no action of its own."""
    assert s3(operation) == [(expected, "lake/a/b")]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("HeadBucket", "s3:ListBucket"),
        ("ListObjects", "s3:ListBucket"),
        ("ListObjectsV2", "s3:ListBucket"),
        ("ListObjectVersions", "s3:ListBucketVersions"),
        ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
        ("GetBucketLocation", "s3:GetBucketLocation"),
    ],
)
def test_an_operation_on_a_bucket_needs_its_action_on_the_bucket(operation: str, expected: str) -> None:
    """The resource is the bucket's own ARN, without a key."""
    assert s3(operation, "/lake") == s3(operation, "/lake/") == [(expected, "lake")]


def test_versions_copies_and_conditions_need_other_or_further_actions() -> None:
    """A version needs only its own action; a copy reads its source; If-Match reads the object that it replaces."""
    assert s3("GetObject", query={"versionId": "v"}) == [("s3:GetObjectVersion", "lake/a/b")]
    assert s3("DeleteObject", query={"versionId": "v"}) == [("s3:DeleteObjectVersion", "lake/a/b")]
    assert s3("PutObject", headers={"if-none-match": "*"}) == [("s3:PutObject", "lake/a/b")]
    assert s3("PutObject", headers={"if-match": '"e"'}) == [("s3:PutObject", "lake/a/b"), ("s3:GetObject", "lake/a/b")]
    copied = s3("CopyObject", headers={"x-amz-copy-source": "/raw/x%20y?versionId=v"})
    assert copied == [("s3:PutObject", "lake/a/b"), ("s3:GetObjectVersion", "raw/x y")]


def test_every_key_of_a_multiple_delete_counts() -> None:
    """One forbidden key among them refuses the call."""
    body = b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>'
    assert s3("DeleteObjects", "/lake", body=body) == [("s3:DeleteObject", "lake/a"), ("s3:DeleteObject", "lake/b")]


def test_a_transaction_needs_the_actions_of_its_parts() -> None:
    """DynamoDB knows no action TransactWriteItems."""
    body = {
        "TransactItems": [{kind: {"TableName": "ledger"}} for kind in ("Put", "Update", "Delete", "ConditionCheck")]
    }
    assert permissions("dynamodb", "TransactWriteItems", body=body) == [
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("dynamodb:DeleteItem", TABLE),
        ("dynamodb:ConditionCheckItem", TABLE),
    ]


def test_a_query_of_an_index_is_on_the_index() -> None:
    """And one of the table on the table."""
    assert permissions("dynamodb", "Query", body={"TableName": "ledger"}) == [("dynamodb:Query", TABLE)]
    indexed = permissions("dynamodb", "Query", body={"TableName": "ledger", "IndexName": "open"})
    assert indexed == [("dynamodb:Query", f"{TABLE}/index/open")]


def test_a_streams_iterator_names_its_stream() -> None:
    """GetRecords has no other reference to it."""
    stream = f"{TABLE}/stream/2026"
    assert permissions("dynamodb", "GetRecords", body={"ShardIterator": f"{stream}|1|AAAA"}) == [
        ("dynamodb:GetRecords", stream)
    ]


def test_the_batch_operations_of_a_queue_have_no_actions_of_their_own() -> None:
    """They need that of the single message, on the queue of the URL."""
    url = "http://127.0.0.1:4566/123456789012/landed"
    queue = f"arn:aws:sqs:{ACCOUNT}:landed"
    assert permissions("sqs", "DeleteMessageBatch", body={"QueueUrl": url}) == [("sqs:DeleteMessage", queue)]
    assert permissions("sqs", "SendMessage", body={"QueueUrl": url}) == [("sqs:SendMessage", queue)]


def test_the_catalog_checks_everything_above_a_table() -> None:
    """A table needs its action on catalog, database and table."""
    glue = f"arn:aws:glue:{ACCOUNT}:"
    table = permissions("glue", "GetTable", body={"DatabaseName": "d", "Name": "t"})
    assert table == [("glue:GetTable", glue + name) for name in ("catalog", "database/d", "table/d/t")]
    made = permissions("glue", "CreateTable", body={"DatabaseName": "d", "TableInput": {"Name": "t"}})
    assert [resource for _, resource in made] == [glue + name for name in ("catalog", "database/d", "table/d/t")]
    database = permissions("glue", "GetDatabase", body={"Name": "d"})
    assert database == [("glue:GetDatabase", glue + name) for name in ("catalog", "database/d")]


def test_a_job_run_needs_the_application_the_role_and_its_tags() -> None:
    """The role is passed to EMR Serverless, and to no other service."""
    body = {"executionRoleArn": "arn:aws:iam::123456789012:role/job", "tags": {"a": "b"}}
    wanted = needs(Asked("emr-serverless", "StartJobRun", path="/applications/00f1/jobruns", body=body), NAMES)
    assert [(one.action, one.resource) for one in wanted] == [
        ("emr-serverless:StartJobRun", APPLICATION),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/job"),
        ("emr-serverless:TagResource", f"{APPLICATION}/jobruns/*"),
    ]
    assert wanted[1].context == {"iam:passedtoservice": "emr-serverless.amazonaws.com"}
    path = "/applications/00f1/jobruns/r1"
    assert permissions("emr-serverless", "GetJobRun", path=path, body={}) == [
        ("emr-serverless:GetJobRun", f"{APPLICATION}/jobruns/r1")
    ]


def test_a_statement_needs_credentials_of_the_workgroup_and_its_result_only_its_issuer() -> None:
    """Statements have no ARN; the context names their issuer."""
    sent = permissions("redshift-data", "BatchExecuteStatement", body={"WorkgroupName": "warehouse"})
    assert sent == [
        ("redshift-data:BatchExecuteStatement", WORKGROUP),
        ("redshift-serverless:GetCredentials", WORKGROUP),
    ]
    assert permissions("redshift-data", "BatchExecuteStatement", body={"WorkgroupName": WORKGROUP}) == sent
    [asked] = needs(Asked("redshift-data", "GetStatementResultV2", body={"Id": "s1:2"}), NAMES)
    assert (asked.action, asked.resource) == ("redshift-data:GetStatementResult", "*")
    assert asked.context == {"redshift-data:statement-owner-iam-userid": "AROA:Load"}


def test_a_cluster_signs_its_caller_in_by_secret_by_user_or_by_role() -> None:
    """Each way has its own action and resources, besides the statement's own on the cluster."""
    redshift = f"arn:aws:redshift:{ACCOUNT}:"
    secret = f"arn:aws:secretsmanager:{ACCOUNT}:secret:s"
    cluster = {"ClusterIdentifier": "c", "Database": "dev"}
    ways = {"": {}, "user": {"DbUser": "loader"}, "secret": {"SecretArn": secret}}
    found = {way: permissions("redshift-data", "ExecuteStatement", body=cluster | more) for way, more in ways.items()}
    assert {each[0] for each in found.values()} == {("redshift-data:ExecuteStatement", f"{redshift}cluster:c")}
    assert found[""][1:] == [("redshift:GetClusterCredentialsWithIAM", f"{redshift}dbname:c/dev")]
    assert found["user"][1:] == [
        ("redshift:GetClusterCredentials", f"{redshift}dbname:c/dev"),
        ("redshift:GetClusterCredentials", f"{redshift}dbuser:c/loader"),
    ]
    assert found["secret"][1:] == [("secretsmanager:GetSecretValue", secret)]


@pytest.mark.parametrize(
    ("call", "action", "resource"),
    [
        (
            Asked("events", "PutEvents", body={"Entries": [{"Source": "x"}]}),
            "events:PutEvents",
            "events:event-bus/default",
        ),
        (Asked("ssm", "GetParameter", body={"Name": "/t/settings"}), "ssm:GetParameter", "ssm:parameter/t/settings"),
        (
            Asked("lambda", "Invoke", path="/2015-03-31/functions/t-Plan/invocations"),
            "lambda:InvokeFunction",
            "lambda:function:t-Plan",
        ),
        (
            Asked("execute-api", "", method="POST", path="/predict"),
            "execute-api:Invoke",
            "execute-api:api1/$default/POST/predict",
        ),
    ],
    ids=lambda value: value.operation if isinstance(value, Asked) else "",
)
def test_other_services_name_their_resource_in_their_own_way(call: Asked, action: str, resource: str) -> None:
    """A bus, a parameter, a function, a route."""
    service, _, name = resource.partition(":")
    assert [(one.action, one.resource) for one in needs(call, NAMES)] == [
        (action, f"arn:aws:{service}:{ACCOUNT}:{name}")
    ]


@pytest.mark.parametrize(
    "call",
    [
        Asked("s3", "PutBucketAcl", path="/lake"),
        Asked("s3", "", path="/lake"),
        Asked("glue", "StartCrawler", body={"Name": "c"}),
        Asked("events", "PutRule", body={}),
        Asked("dynamodb", "ListTables", body={}),
        Asked("redshift-data", "ExecuteStatement", body={"WorkgroupName": "of-another-stack"}),
        Asked("kms", "Decrypt", body={}),
    ],
    ids=lambda call: f"{call.service}-{call.operation}",
)
def test_a_call_without_a_known_permission_is_not_let_through(call: Asked) -> None:
    """The table says which calls it knows; there is no default that would pass."""
    with pytest.raises(UnmappedCall):
        needs(call, NAMES)


def test_anyone_may_ask_who_they_are() -> None:
    """GetCallerIdentity needs no permission, not even where it is denied."""
    assert permissions("sts", "GetCallerIdentity") == []
