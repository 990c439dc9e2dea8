"""Marks each planned item as followed; an item with `sour` in its key fails its batch."""

import os
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")


def handler(event: Any, context: Any) -> Any:
    keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
    print(f"following {keys}")
    if any("sour" in key for key in keys):
        raise ValueError(f"sour among {len(keys)}")
    for key in keys:
        dynamodb.update_item(
            TableName=os.environ["TABLE"],
            Key={"pk": {"S": key}},
            UpdateExpression="SET #s = :f",
            ExpressionAttributeNames={"#s": "state"},
            ExpressionAttributeValues={":f": {"S": "FOLLOWED"}},
        )
    return {"batchItemFailures": []}
