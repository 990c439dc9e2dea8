"""Where the laptop cloud keeps to AWS and moto alone does not."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}]
TYPES = [{"AttributeName": "pk", "AttributeType": "S"}]


@pytest.fixture(scope="module")
def table(client: Any) -> str:
    client("dynamodb").create_table(
        TableName="ledger",
        KeySchema=KEYS,
        AttributeDefinitions=TYPES,
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return "ledger"


def put(pk: str, **more: str) -> dict[str, Any]:
    item = {"pk": {"S": pk}, **{name: {"S": value} for name, value in more.items()}}
    return {"Put": {"TableName": "ledger", "Item": item}}


def impossible(pk: str) -> dict[str, Any]:
    return {
        "ConditionCheck": {
            "TableName": "ledger",
            "Key": {"pk": {"S": pk}},
            "ConditionExpression": "attribute_exists(absent)",
        }
    }


def raise_counter(pk: str) -> dict[str, Any]:
    return {
        "TableName": "ledger",
        "Key": {"pk": {"S": pk}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }


def test_a_failing_transaction_loses_no_concurrent_write(client: Any, table: str) -> None:
    """Every acknowledged increment is stored, even while other transactions fail."""
    dynamodb, over = client("dynamodb"), threading.Event()

    def fail() -> int:
        failed = 0
        while not over.is_set():
            with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
                dynamodb.transact_write_items(TransactItems=[put("other"), impossible("x")])
            failed += 1
        return failed

    with ThreadPoolExecutor() as pool:
        failing = pool.submit(fail)
        list(pool.map(lambda _: dynamodb.update_item(**raise_counter("counter")), range(60)))
        over.set()
    stored = dynamodb.get_item(TableName=table, Key={"pk": {"S": "counter"}})["Item"]
    assert (stored["n"]["N"], failing.result() > 0) == ("60", True)


def test_a_failed_transaction_leaves_items_as_they_were(client: Any, table: str) -> None:
    """Put, update and delete of a cancelled transaction are all undone, in place changes included."""
    dynamodb = client("dynamodb")
    for pk in ("kept", "updated", "deleted"):
        dynamodb.put_item(TableName=table, Item={"pk": {"S": pk}, "n": {"N": "1"}})
    before = dynamodb.scan(TableName=table)["Items"]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(
            TransactItems=[
                put("new"),
                put("kept", n="other"),
                {"Update": raise_counter("updated")},
                {"Update": raise_counter("newly updated")},
                {"Delete": {"TableName": table, "Key": {"pk": {"S": "deleted"}}}},
                impossible("x"),
            ]
        )
    key = lambda item: item["pk"]["S"]  # noqa: E731
    assert sorted(dynamodb.scan(TableName=table)["Items"], key=key) == sorted(before, key=key)


def test_a_stream_reader_sees_nothing_of_a_failed_transaction_and_all_that_follows(client: Any, table: str) -> None:
    """An iterator from before the rollback continues with only the committed records."""
    dynamodb, streams = client("dynamodb"), client("dynamodbstreams")
    arn = streams.list_streams(TableName=table)["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    place = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[put("phantom"), impossible("x")])
    dynamodb.transact_write_items(TransactItems=[put("real")])
    records = streams.get_records(ShardIterator=place)["Records"]
    assert [record["dynamodb"]["Keys"]["pk"]["S"] for record in records] == ["real"]


def test_a_transaction_copies_no_more_of_a_long_table_than_of_a_short_one(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of items do not slow a transaction down: it copies only what it touches, where moto copies them all."""
    from moto.dynamodb.models import dynamodb_backends
    from moto.dynamodb.models.dynamo_type import Item

    dynamodb = client("dynamodb")
    dynamodb.create_table(TableName="long", KeySchema=KEYS, AttributeDefinitions=TYPES, BillingMode="PAY_PER_REQUEST")
    long = dynamodb_backends["123456789012"]["us-east-1"].tables["long"]
    for number in range(300):
        long.put_item({"pk": {"S": f"{number}"}})
    copied: list[Any] = []
    monkeypatch.setattr(Item, "__deepcopy__", lambda item, memo: copied.append(item) or item, raising=False)
    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": "long", "Item": {"pk": {"S": "7"}}}}])
    assert 0 < len(copied) < 5


def test_a_transaction_token_is_honoured(client: Any, table: str) -> None:
    """The same token and request succeed again without effect; another request under the token is refused."""
    dynamodb = client("dynamodb")
    condition = {"ConditionExpression": "attribute_not_exists(pk)"}
    once = {"Put": put("once")["Put"] | condition}
    for _ in range(2):
        dynamodb.transact_write_items(TransactItems=[once], ClientRequestToken="token-1")
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[once], ClientRequestToken="token-2")
    with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
        dynamodb.transact_write_items(TransactItems=[put("else")], ClientRequestToken="token-1")


def test_glue_refuses_an_update_of_a_version_that_is_no_longer_current(client: Any) -> None:
    """Of two updates that read the same version, the second gets a ConcurrentModificationException."""
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "lake"})
    glue.create_table(DatabaseName="lake", TableInput={"Name": "events"})
    seen = glue.get_table(DatabaseName="lake", Name="events")["Table"]["VersionId"]
    glue.update_table(DatabaseName="lake", TableInput={"Name": "events"}, VersionId=seen)
    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        glue.update_table(DatabaseName="lake", TableInput={"Name": "events"}, VersionId=seen)
    glue.update_table(DatabaseName="lake", TableInput={"Name": "events"})
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.update_table(DatabaseName="lake", TableInput={"Name": "absent"}, VersionId="1")


def test_a_long_poll_holds_nobody_up(client: Any) -> None:
    """A message sent during another client's long poll arrives at once, not when the poll ends."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    started = time.perf_counter()
    with ThreadPoolExecutor() as pool:
        poll = pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        time.sleep(0.2)
        sqs.send_message(QueueUrl=url, MessageBody="hello")
        assert poll.result()["Messages"][0]["Body"] == "hello"
    assert time.perf_counter() - started < 5


def test_one_of_many_conditional_puts_wins(client: Any) -> None:
    """If-None-Match lets exactly one of eight concurrent writers create the object."""
    s3 = client("s3")
    s3.create_bucket(Bucket="control")

    def write(number: int) -> str:
        try:
            s3.put_object(Bucket="control", Key="manifest.json", Body=str(number), IfNoneMatch="*")
        except ClientError as refused:
            return str(refused.response["Error"]["Code"])
        return "written"

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(write, range(8)))
    assert answers == ["PreconditionFailed"] * 7 + ["written"]


ODD_KEYS = [
    "a\x01b",
    "\x1b[31m",
    "cr\r",
    "crlf\r\n",
    "lf\n",
    "\ufffe",
    "<&>",
    "a b+%20",
    "\u540d",
    " ",
    "d/\x02",
    "d/x\r/y",
]


def test_versions_of_odd_keys_are_listed(client: Any) -> None:
    """Keys, prefixes, common prefixes and the marks of a page are what they are, deleted ones too; page by page."""
    s3 = client("s3")
    s3.create_bucket(Bucket="odd")
    s3.put_bucket_versioning(Bucket="odd", VersioningConfiguration={"Status": "Enabled"})
    for key in ODD_KEYS:
        s3.put_object(Bucket="odd", Key=key, Body=b"1")
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket="odd", PaginationConfig={"PageSize": 2}))
    assert [found["Key"] for page in pages for found in page.get("Versions", ())] == sorted(ODD_KEYS)
    folders = s3.list_object_versions(Bucket="odd", Prefix="d/x\r", Delimiter="/")
    assert (folders["Prefix"], folders["CommonPrefixes"]) == ("d/x\r", [{"Prefix": "d/x\r/"}])
    s3.delete_object(Bucket="odd", Key="a\x01b")
    assert [found["Key"] for found in s3.list_object_versions(Bucket="odd")["DeleteMarkers"]] == ["a\x01b"]
    raw = s3.list_object_versions(Bucket="odd", Prefix="a b", EncodingType="url")
    assert [found["Key"] for found in raw["Versions"]] == ["a%20b%2B%2520"]
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_object_versions(Bucket="missing", EncodingType="url")
