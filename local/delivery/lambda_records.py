"""The JSON of Lambda's pollers: records for functions, partial failures in their answers, and failure records."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.account import REGION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.lambda_runtime.functions import Response
    from local.stack.deployment import EventSource, FunctionSpec

Record = dict[str, Any]


def failures(response: Response, ids: Sequence[str], *, report: bool) -> set[str]:
    """The ids that failed by Lambda's rules: all of them after an error or an invalid answer."""
    if response.error:
        return set(ids)
    if not report or not response.payload:
        return set()
    try:
        failed = {item["itemIdentifier"] for item in response.payload.get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError):
        return set(ids)
    return failed if failed.issubset(ids) else set(ids)


def sqs_record(message: Record, source_arn: str) -> Record:
    """A received message as Lambda passes it to a function."""
    attributes = {name: _message_attribute(value) for name, value in message.get("MessageAttributes", {}).items()}
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": source_arn,
        "awsRegion": REGION,
    }


def _message_attribute(value: Record) -> Record:
    binary = {"binaryValue": base64.b64encode(value["BinaryValue"]).decode()} if "BinaryValue" in value else {}
    text = {"stringValue": value["StringValue"]} if "StringValue" in value else {}
    lists: Record = {"stringListValues": [], "binaryListValues": []}
    return {**text, **binary, **lists, "dataType": value["DataType"]}


def stream_record(record: Record, source_arn: str) -> Record:
    """A stream record as Lambda passes it to a function: times in seconds, bytes in base64."""
    plain: Record = json.loads(json.dumps(record, default=_plain))
    return plain | {"eventSourceARN": source_arn}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"cannot be JSON: {value!r}")


def stream_failure(
    source: EventSource, shard: str, records: Sequence[Record], attempts: int, response: Response
) -> Record:
    """The record that Lambda sends to a stream's on-failure destination: the records' positions, not their content."""
    first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
    return {
        "requestContext": {
            "requestId": response.request_id,
            "functionArn": source.function,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": attempts,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": timestamp(datetime.now(UTC)),
        "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _arrival(first),
            "approximateArrivalOfLastRecord": _arrival(last),
            "batchSize": len(records),
            "streamArn": source.arn,
        },
    }


def _arrival(record: Record) -> str:
    at = datetime.fromtimestamp(record["ApproximateCreationDateTime"], UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp(at: datetime) -> str:
    """ISO-8601 with milliseconds, as Lambda writes it into failure records."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def invocation_failure(function: FunctionSpec, event: Any, attempts: int, response: Response) -> dict[str, Any]:
    """The record that Lambda sends to an asynchronous invocation's on-failure destination."""
    return {
        "version": "1.0",
        "timestamp": timestamp(datetime.now(UTC)),
        "requestContext": {
            "requestId": response.request_id,
            "functionArn": f"{function.arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": response.payload,
    }
