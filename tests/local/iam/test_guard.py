"""The laptop cloud refuses a call that the caller's role does not allow, as the service itself would."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud
from local.endpoint.server import Call
from local.iam.guard import Guard, Use

SESSION = "arn:aws:sts::123456789012:assumed-role/tidemark-CollectRole/tidemark-Collect"


def refusal(call: Any, **request: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as failed:
        call(**request)
    error = failed.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"], error["Error"]["Message"]


def test_a_call_that_the_role_allows_passes_and_is_remembered(cloud: Cloud) -> None:
    """With the resource pattern of the statement that allowed it."""
    table = cloud.deployment.resources["Table"]
    cloud.client("dynamodb", "Collect").put_item(TableName=table.ref, Item={"pk": {"S": "guard"}})
    assert Use("CollectRole", "dynamodb:PutItem", table.attributes["Arn"]) in cloud.guard.uses


def test_a_call_that_no_statement_allows_is_refused_in_the_services_words(cloud: Cloud) -> None:
    """DynamoDB's code and sentence: who, what, on which resource, and why."""
    table = cloud.deployment.resources["Table"]
    dynamodb = cloud.client("dynamodb", "Collect")
    status, code, message = refusal(dynamodb.get_item, TableName=table.ref, Key={"pk": {"S": "x"}})
    assert (status, code) == (400, "AccessDeniedException")
    assert message == (
        f"User: {SESSION} is not authorized to perform: dynamodb:GetItem on resource: {table.attributes['Arn']}"
        " because no identity-based policy allows the dynamodb:GetItem action"
    )


def test_s3_refuses_with_its_own_code_and_writes_nothing(cloud: Cloud) -> None:
    """A 403 AccessDenied in XML; the object is not there afterwards."""
    bucket = cloud.deployment.resources["RawBucket"].ref
    status, code, message = refusal(cloud.client("s3", "Collect").put_object, Bucket=bucket, Key="k", Body=b"x")
    assert (status, code) == (403, "AccessDenied")
    assert f's3:PutObject on resource: "arn:aws:s3:::{bucket}/k" because no identity-based policy' in message
    assert cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="k")["KeyCount"] == 0


def test_lambda_refuses_in_json_whatever_the_payload_is(cloud: Cloud) -> None:
    """An SDK that expects JSON reads the sentence, and not the markup of an XML document."""
    status, code, message = refusal(cloud.client("lambda", "Collect").invoke, FunctionName="any", Payload=b"\x00")
    assert (status, code) == (403, "AccessDeniedException")
    assert message.startswith(f"User: {SESSION} is not authorized to perform: lambda:InvokeFunction on resource: ")


def test_an_unknown_key_is_refused_and_an_unmapped_call_too(cloud: Cloud) -> None:
    """Neither a misspelt caller nor a call without an entry in the table gets through."""
    status, code, _ = refusal(cloud.client("sqs", "Nobody").list_queues)
    assert (status, code) == (403, "UnrecognizedClientException")
    _, code, message = refusal(cloud.client("dynamodb", "Collect").list_tables)
    assert code == "AccessDeniedException"
    assert "does not know which permission ListTables needs" in message


def test_an_administrator_may_do_everything(cloud: Cloud) -> None:
    """A person's calls, and the laptop cloud's own, are not looked up at all."""
    assert cloud.client("dynamodb").list_tables()["TableNames"]
    assert {use.principal for use in cloud.guard.uses} & {"", "local"} == set()


def environ(path: str) -> dict[str, str]:
    return {"REQUEST_METHOD": "GET", "RAW_URI": path}


def guard(*actions: str, **role: Any) -> Guard:
    from local.stack.deployment import Deployment, Grants

    statement = {"Effect": "Allow", "Action": [*actions], "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    made = Guard()
    made.deployed(Deployment("t", {}, grants=(Grants("R", "r", "arn:role", "A", is_role=True, documents=(document,)),)))
    return made


def test_only_a_caller_who_may_list_the_bucket_learns_that_an_object_is_missing() -> None:
    """Without s3:ListBucket, S3 answers 403 instead of 404."""
    call = Call("AKIALOCALR", "s3", "GetObject")
    assert guard("s3:GetObject", "s3:ListBucket").concealed(call, environ("/b/gone")) is None
    hidden = guard("s3:GetObject").concealed(call, environ("/b/gone"))
    assert hidden
    assert (hidden.status, hidden.code) == (403, "AccessDenied")
    assert 's3:ListBucket on resource: "arn:aws:s3:::b" because' in hidden.message


def test_a_missing_object_is_a_403_over_http(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """GET and HEAD alike; an object that is there is read."""
    bucket = cloud.deployment.resources["PlainBucket"].ref
    cloud.client("s3").put_object(Bucket=bucket, Key="there", Body=b"x")
    everything = Guard()
    monkeypatch.setattr(everything, "refusal", lambda *_: None)
    monkeypatch.setattr(everything, "concealed", cloud.guard.concealed)
    monkeypatch.setattr(cloud._endpoint, "_guard", everything)
    s3 = cloud.client("s3", "Collect")
    assert s3.get_object(Bucket=bucket, Key="there")["Body"].read() == b"x"
    assert refusal(s3.get_object, Bucket=bucket, Key="gone")[:2] == (403, "AccessDenied")
    assert refusal(s3.head_object, Bucket=bucket, Key="gone")[:2] == (403, "403")


def test_a_session_policy_narrows_a_role_while_the_session_lasts() -> None:
    """What it leaves out is refused, what it adds is not allowed, and afterwards the role is as before."""
    whole = guard("s3:GetObject")
    narrow = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::b/mine/*"}

    def get(path: str, operation: str = "GetObject") -> Any:
        found = whole.refusal(Call("AKIALOCALR", "s3", operation), environ(path))
        return found and found.message

    with whole.session("arn:role", json.dumps({"Version": "2012-10-17", "Statement": narrow})):
        assert get("/b/mine/x") is None
        assert "because no session policy allows the s3:GetObject action" in get("/b/yours/x")
        assert "because no identity-based policy allows the s3:PutObject action" in get("/b/mine/x", "PutObject")
    assert get("/b/yours/x") is None


def test_a_service_that_acts_with_a_role_is_checked_too() -> None:
    """As a schedule is before it invokes its target."""
    made = guard("s3:GetObject")
    made.require("arn:role", "s3:GetObject", "arn:aws:s3:::b/k")
    with pytest.raises(PermissionError, match="not authorized to perform: lambda:InvokeFunction on resource: arn:f"):
        made.require("arn:role", "lambda:InvokeFunction", "arn:f")
