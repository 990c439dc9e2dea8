"""Event source mappings: pollers that, like Lambda's, pass batches from a queue or a stream to a function.

They call as the function's role, except where only the laptop cloud asks: whether a source is drained, and how soon a
message comes back on a fast clock.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from local.delivery.lambda_records import Record, failures, sqs_record, stream_failure, stream_record
from local.stack.event_pattern import Pattern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.clock import Clock
    from local.lambda_runtime.functions import Response
    from local.stack.deployment import EventSource

SYNC_PAYLOAD_BYTES = 6_000_000  #: Lambda's limit for one synchronous invocation
RECORD_OVERHEAD_BYTES = 1_000  #: approximate size of a record's envelope
RECEIVE_LIMIT = 10  #: messages per ReceiveMessage
MAX_BACKOFF_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 0.5  #: polling interval within a batching window


class DispatcherLike(Protocol):
    """The part of the dispatcher that a poller needs."""

    @property
    def clock(self) -> Clock: ...
    def client(self, service: str, caller: str = "") -> Any: ...
    def invoke(self, function: str, event: Any) -> Response: ...
    def send(self, arn: str, body: Any, attributes: Mapping[str, str] | None = None, caller: str = "") -> None: ...
    def pause(self, seconds: float) -> bool:
        """Waits; true if the dispatcher is stopping."""
        ...


class QueueSource:
    """SQS → function: collects several receives into a batch within a window, and supports partial failures."""

    def __init__(self, source: EventSource, dispatcher: DispatcherLike) -> None:
        self._source = source
        self._dispatcher = dispatcher
        self._filters = [Pattern.parse(text) for text in source.patterns]
        self._sqs = dispatcher.client("sqs", source.function)
        self._url = dispatcher.client("sqs").get_queue_url(QueueName=source.arn.split(":")[-1])["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["VisibilityTimeout"])
        self._visibility = int(attributes["Attributes"]["VisibilityTimeout"])

    def step(self) -> bool:
        """Receives and delivers one batch; whether there was one."""
        messages = self._gather()
        if messages:
            self._deliver(messages)
        return bool(messages)

    def drained(self) -> bool:
        names = ["", "NotVisible", "Delayed"]
        attributes = self._dispatcher.client("sqs").get_queue_attributes(
            QueueUrl=self._url, AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names]
        )["Attributes"]
        return all(int(count) == 0 for count in attributes.values())

    def _gather(self) -> list[Record]:
        messages: dict[str, Record] = {}
        size, deadline = 0, 0.0
        while len(messages) < self._source.batch_size and size < SYNC_PAYLOAD_BYTES:
            received = self._receive(self._source.batch_size - len(messages))
            if received and not messages:
                deadline = time.monotonic() + self._dispatcher.clock.real_seconds(self._source.window_seconds)
            for message in received:
                messages[message["MessageId"]] = message
                size += len(message["Body"]) + RECORD_OVERHEAD_BYTES
            left = deadline - time.monotonic()
            if not received and (left <= 0 or self._dispatcher.pause(min(left, LOOK_AGAIN_SECONDS))):
                break
        return list(messages.values())

    def _receive(self, room: int) -> list[Record]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(RECEIVE_LIMIT, room),
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def _deliver(self, messages: list[Record]) -> None:
        records = {message["MessageId"]: sqs_record(message, self._source.arn) for message in messages}
        passing = [record for record in records.values() if self._passes(record)]
        failed: set[str] = set()
        if passing:
            response = self._dispatcher.invoke(self._source.function, {"Records": passing})
            ids = [record["messageId"] for record in passing]
            failed = failures(response, ids, report=self._source.report_failures)
        # As in Lambda, messages that the filters reject are deleted too.
        self._delete([message for message in messages if message["MessageId"] not in failed])
        self._shorten_visibility([message for message in messages if message["MessageId"] in failed])

    def _passes(self, record: Record) -> bool:
        view = record | {"body": _parsed(record["body"])}
        return not self._filters or any(pattern.matches(view) for pattern in self._filters)

    def _delete(self, messages: list[Record]) -> None:
        for some in _tens(messages):
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(some)]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)

    def _shorten_visibility(self, messages: list[Record]) -> None:
        """On a fast clock, failed messages return sooner than after the queue's visibility timeout."""
        if self._dispatcher.clock.speed <= 1:
            return
        seconds = int(self._dispatcher.clock.real_seconds(self._visibility))
        for message in messages:
            self._dispatcher.client("sqs").change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
            )


@dataclass(frozen=True)
class _Batch:
    records: tuple[Record, ...]
    attempt: int = 1


class StreamSource:
    """DynamoDB stream → function: in order, with retries, bisection and a failure destination."""

    def __init__(self, source: EventSource, dispatcher: DispatcherLike) -> None:
        self._source = source
        self._dispatcher = dispatcher
        self._filters = [Pattern.parse(text) for text in source.patterns]
        self._streams = dispatcher.client("dynamodbstreams", source.function)
        stream = self._streams.describe_stream(StreamArn=source.arn)["StreamDescription"]
        self._shard = stream["Shards"][0]["ShardId"]  # moto has one
        self._position = self._iterator() if source.from_start else self._iterator(kind="LATEST")

    def step(self) -> bool:
        """Delivers one batch, including all its retries; whether there was one."""
        records, position = self._gather()
        if records:
            self._deliver([record for record in records if self._passes(record)])
        self._position = position
        return bool(records)

    def drained(self) -> bool:
        streams = self._dispatcher.client("dynamodbstreams")
        return not streams.get_records(ShardIterator=self._position, Limit=1)["Records"]

    def _iterator(self, kind: str = "TRIM_HORIZON") -> str:
        answer = self._streams.get_shard_iterator(
            StreamArn=self._source.arn, ShardId=self._shard, ShardIteratorType=kind
        )
        return str(answer["ShardIterator"])

    def _read(self, position: str, limit: int) -> Any:
        return self._streams.get_records(ShardIterator=position, Limit=limit)

    def _gather(self) -> tuple[list[Record], str]:
        records: list[Record] = []
        position, deadline = self._position, 0.0
        while len(records) < self._source.batch_size:
            answer = self._read(position, self._source.batch_size - len(records))
            if answer["Records"] and not records:
                deadline = time.monotonic() + self._dispatcher.clock.real_seconds(self._source.window_seconds)
            records += [stream_record(record, self._source.arn) for record in answer["Records"]]
            # Without new records the old iterator stays valid, and moto never frees an iterator.
            position = answer["NextShardIterator"] if answer["Records"] else position
            left = deadline - time.monotonic()
            if not answer["Records"] and (left <= 0 or self._dispatcher.pause(min(left, LOOK_AGAIN_SECONDS))):
                break
        return records, position

    def _passes(self, record: Record) -> bool:
        return not self._filters or any(pattern.matches(record) for pattern in self._filters)

    def _deliver(self, records: Sequence[Record]) -> None:
        todo = [_Batch(tuple(records))] if records else []
        while todo:
            batch = todo.pop()
            event = {"Records": list(batch.records)}
            response = self._dispatcher.invoke(self._source.function, event)
            todo += reversed(self._left_over(batch, response))

    def _left_over(self, batch: _Batch, response: Response) -> list[_Batch]:
        """The batches that still have to be delivered after `response`, in order."""
        ids = [record["dynamodb"]["SequenceNumber"] for record in batch.records]
        failed = failures(response, ids, report=self._source.report_failures)
        if not failed:
            return []
        first = next(index for index, id_ in enumerate(ids) if id_ in failed)
        if first > 0:  # the records before it are checkpointed
            return [_Batch(batch.records[first:])]
        if self._source.bisect and len(batch.records) > 1:
            middle = len(batch.records) // 2
            return [_Batch(batch.records[:middle], batch.attempt), _Batch(batch.records[middle:], batch.attempt)]
        if self._exhausted(batch):
            self._give_up(batch, response)
            return []
        backoff = min(2.0 ** (batch.attempt - 1), MAX_BACKOFF_SECONDS)
        stopping = self._dispatcher.pause(self._dispatcher.clock.real_seconds(backoff))
        return [] if stopping else [_Batch(batch.records, batch.attempt + 1)]

    def _exhausted(self, batch: _Batch) -> bool:
        age = time.time() - batch.records[0]["dynamodb"]["ApproximateCreationDateTime"]
        too_old = 0 <= self._source.maximum_age_seconds < age
        return too_old or 0 <= self._source.retries < batch.attempt

    def _give_up(self, batch: _Batch, response: Response) -> None:
        if self._source.on_failure:
            self._dispatcher.send(
                self._source.on_failure,
                stream_failure(self._source, self._shard, batch.records, batch.attempt, response),
                caller=self._source.function,
            )


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _tens(messages: list[Record]) -> list[list[Record]]:
    return [messages[start : start + RECEIVE_LIMIT] for start in range(0, len(messages), RECEIVE_LIMIT)]
