"""A stage with a dispatcher on it, and what its queues and streams hold."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.clock import Clock
from local.delivery.dispatcher import Dispatcher
from local.lambda_runtime.functions import Response
from local.stack.deployment import Deployment, EventSource, FunctionSpec, RuleSpec, ScheduleSpec, Target

ARN = "arn:aws:{}:us-east-1:123456789012:{}"


PLANNED = '{"dynamodb": {"NewImage": {"state": {"S": ["PLANNED"]}}}}'


def function(logical_id: str, **more: Any) -> FunctionSpec:
    arn = ARN.format("lambda", f"function:{logical_id}")
    return FunctionSpec(logical_id, logical_id, arn, "x.y", Path(), {}, 3, 128, "arn:role", **more)


def rule(pattern: dict[str, Any] | None, *targets: Target, **more: Any) -> RuleSpec:
    return RuleSpec("Rule", "rule", ARN.format("events", "rule/rule"), targets, pattern, **more)


class Stage:
    """Queues, buckets and tables of their own, and functions that are Python callables."""

    def __init__(self, aws: Any, client: Callable[..., Any], name: str) -> None:
        self.aws, self.client, self.name = aws, client, re.sub(r"[^a-z0-9]+", "-", name.lower())[-50:]
        self.invoked: list[tuple[str, Any]] = []
        self.at: list[float] = []
        self.answer: Callable[[Any], Any] = lambda _: None
        self.dispatcher: Dispatcher | None = None

    def run(self, *, clock: Clock | None = None, **deployment: Any) -> Dispatcher:
        clock = clock or Clock(speed=60, schedules=False)
        functions = deployment.pop("functions", (function("F"),))
        require = deployment.pop("require", lambda *_: None)
        deployed = Deployment("s", {}, functions, **deployment)
        self.dispatcher = Dispatcher(deployed, self.client, self._invoke, clock, require)
        self.aws.hooks[1:] = [lambda call: self.dispatcher.wake(call.service, call.operation)]
        self.dispatcher.start()
        return self.dispatcher

    def _invoke(self, name: str, event: Any) -> Response:
        self.invoked.append((name, event))
        self.at.append(time.monotonic())
        try:
            return Response("id", self.answer(event))
        except ValueError as error:
            return Response("id", {"errorType": "ValueError", "errorMessage": str(error)}, error=True)

    def queue(self, suffix: str = "", **attributes: str) -> str:
        self.client("sqs").create_queue(QueueName=self.name + suffix, Attributes=attributes)
        return ARN.format("sqs", self.name + suffix)

    def url(self, arn: str) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"])

    def send(self, arn: str, *bodies: str) -> None:
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            self.client("sqs").send_message_batch(QueueUrl=self.url(arn), Entries=entries)

    def messages(self, arn: str) -> list[Any]:
        got = self.client("sqs").receive_message(
            QueueUrl=self.url(arn), MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [json.loads(message["Body"]) for message in got.get("Messages", [])]

    def bucket(self, suffix: str = "", *, versioned: bool = False) -> str:
        name = self.name + suffix
        self.client("s3").create_bucket(Bucket=name)
        if versioned:
            settings = {"Status": "Enabled"}
            self.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration=settings)
        return name

    def stream(self) -> str:
        table = self.client("dynamodb").create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        return str(table["TableDescription"]["LatestStreamArn"])

    def put(self, *pks: str, state: str = "PLANNED") -> None:
        for pk in pks:
            item = {"pk": {"S": pk}, "state": {"S": state}, "blob": {"B": b"\x00"}}
            self.client("dynamodb").put_item(TableName=self.name, Item=item)


@pytest.fixture
def stage(aws: Any, client: Callable[[str], Any], request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = Stage(aws, client, request.node.name)
    yield stage
    if stage.dispatcher:
        stage.dispatcher.stop()


def queue_source(arn: str, **more: Any) -> EventSource:
    return EventSource("Source", "sqs", arn, "F", **({"batch_size": 10} | more))


def bodies(event: Any) -> list[str]:
    return [record["body"] for record in event["Records"]]


def stream_source(arn: str, **more: Any) -> EventSource:
    return EventSource("Source", "dynamodb", arn, "F", **({"batch_size": 100} | more))


def schedule(expression: str, **more: Any) -> ScheduleSpec:
    text = '{"at": "<aws.scheduler.scheduled-time>", "try": "<aws.scheduler.attempt-number>"}'
    target = Target(function("F").arn, input=text)
    return ScheduleSpec("Tick", "tick", ARN.format("scheduler", "schedule/default/tick"), expression, target, **more)


def keys(event: Any) -> list[str]:
    return [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
