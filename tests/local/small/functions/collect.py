"""Writes one item per object; a key with `bad` fails its message, a key with `poison` the whole batch."""

import json
import os
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")


def handler(event: Any, context: Any) -> Any:
    failed = []
    for record in event["Records"]:
        found = json.loads(record["body"])["detail"]["object"]
        if "poison" in found["key"]:
            raise ValueError(found["key"])
        if "bad" in found["key"]:
            failed.append({"itemIdentifier": record["messageId"]})
            continue
        item = {"pk": {"S": found["key"]}, "state": {"S": "PLANNED"}, "together": {"N": str(len(event["Records"]))}}
        dynamodb.put_item(TableName=os.environ["TABLE"], Item=item)
    return {"batchItemFailures": failed}
