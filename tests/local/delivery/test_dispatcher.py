"""The dispatcher moves events as AWS does: shapes, batches, windows, filters, failures, retries, schedules."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.clock import Clock, next_due
from local.delivery.dispatcher import Dispatcher
from local.lambda_runtime.functions import Response
from local.stack.deployment import Deployment, EventSource, FunctionSpec, RuleSpec, ScheduleSpec, Target

ARN = "arn:aws:{}:us-east-1:123456789012:{}"
CREATED = {"source": ["aws.s3"], "detail-type": ["Object Created"]}
PLANNED = '{"dynamodb": {"NewImage": {"state": {"S": ["PLANNED"]}}}}'


def function(logical_id: str, **more: Any) -> FunctionSpec:
    arn = ARN.format("lambda", f"function:{logical_id}")
    return FunctionSpec(logical_id, logical_id, arn, "x.y", Path(), {}, 3, 128, "arn:role", **more)


def rule(pattern: dict[str, Any] | None, *targets: Target, **more: Any) -> RuleSpec:
    return RuleSpec("Rule", "rule", ARN.format("events", "rule/rule"), targets, pattern, **more)


def failing(*ids: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in ids]}


class Stage:
    """Queues, buckets and tables of their own, and functions that are Python callables."""

    def __init__(self, aws: Any, client: Callable[[str], Any], name: str) -> None:
        self.aws, self.client, self.name = aws, client, re.sub(r"[^a-z0-9]+", "-", name.lower())[-50:]
        self.invoked: list[tuple[str, Any]] = []
        self.at: list[float] = []
        self.answer: Callable[[Any], Any] = lambda _: None
        self.dispatcher: Dispatcher | None = None

    def run(self, *, clock: Clock | None = None, **deployment: Any) -> Dispatcher:
        clock = clock or Clock(speed=60, schedules=False)
        functions = deployment.pop("functions", (function("F"),))
        self.dispatcher = Dispatcher(Deployment("s", {}, functions, **deployment), self.client, self._invoke, clock)
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


def s3_events(stage: Stage, bucket: str, act: Callable[[Any], None], pattern: dict[str, Any] = CREATED) -> list[Any]:
    """The events that a rule delivers to a queue while `act` works on the bucket."""
    queue = stage.queue("-events")
    dispatcher = stage.run(rules=(rule(pattern, Target(queue)),), event_buckets=frozenset({bucket}))
    act(stage.client("s3"))
    dispatcher.wait_idle(10)
    return stage.messages(queue)


# ── S3 ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_object_event_has_the_recorded_shape(stage: Stage, shared: Path) -> None:
    """Every key that AWS sent for a put into an unversioned bucket, no other, and its fixed values."""
    path = shared / "data/aws_localstack_snapshots/dev/test_s3_notifications_eventbridge.snapshot.json"
    name = "test_s3_notifications_eventbridge.py::TestS3NotificationsToEventBridge::test_object_created_put"
    recorded = json.loads(path.read_text())[f"tests/aws/services/s3/{name}"]["recorded-content"]["object_created"]
    bucket = stage.bucket()
    (event,) = s3_events(stage, bucket, lambda s3: s3.put_object(Bucket=bucket, Key="k", Body=b"data"))
    assert shape(event) == shape(recorded)
    assert event["detail"]["object"]["etag"] == recorded["detail"]["object"]["etag"]
    assert (event["detail"]["reason"], event["detail"]["object"]["size"]) == ("PutObject", 4)
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]


def shape(value: Any) -> Any:
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value).__name__


def test_a_deletion_has_the_recorded_shape(stage: Stage, shared: Path) -> None:
    """Object Deleted with its deletion type, and neither size nor etag."""
    path = shared / "data/aws_localstack_snapshots/dev/test_s3_notifications_eventbridge.snapshot.json"
    name = "test_s3_notifications_eventbridge.py::TestS3NotificationsToEventBridge::test_object_created_put"
    recorded = json.loads(path.read_text())[f"tests/aws/services/s3/{name}"]["recorded-content"]["object_deleted"]
    bucket = stage.bucket()
    stage.client("s3").put_object(Bucket=bucket, Key="k")
    (event,) = s3_events(stage, bucket, lambda s3: s3.delete_object(Bucket=bucket, Key="k"), {"source": ["aws.s3"]})
    assert shape(event) == shape(recorded)
    assert event["detail"]["deletion-type"] == "Permanently Deleted"


def test_events_are_unique_and_sequencers_rise(stage: Stage) -> None:
    """Ids, request ids and sequencers differ; sequencers of one length sort in the order of the writes."""
    bucket = stage.bucket()

    def act(s3: Any) -> None:
        for number in range(5):
            s3.put_object(Bucket=bucket, Key="same", Body=str(number))

    events = s3_events(stage, bucket, act)
    assert len({event["id"] for event in events}) == len({event["detail"]["request-id"] for event in events}) == 5
    sequence = sorted(events, key=lambda event: str(event["detail"]["object"]["sequencer"]))
    etags = [stage.client("s3").head_object(Bucket=bucket, Key="same")["ETag"].strip('"')]
    assert sequence[-1]["detail"]["object"]["etag"] in etags
    assert {len(event["detail"]["object"]["sequencer"]) for event in events} == {18}


def test_version_ids_are_those_of_versioned_buckets_alone(stage: Stage) -> None:
    """The id in the event opens the very version; keys are literal."""
    bucket = stage.bucket(versioned=True)
    key = "a b+c=é%20.json"
    (event,) = s3_events(stage, bucket, lambda s3: s3.put_object(Bucket=bucket, Key=key, Body=b"1"))
    found = event["detail"]["object"]
    assert found["key"] == key
    answer = stage.client("s3").get_object(Bucket=bucket, Key=found["key"], VersionId=found["version-id"])
    assert answer["Body"].read() == b"1"


def test_an_upload_in_parts_is_one_event(stage: Stage) -> None:
    """CompleteMultipartUpload, with the total size; moto reports it twice."""
    bucket = stage.bucket()

    def act(s3: Any) -> None:
        upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
        part = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=1, Body=b"x" * 100)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=upload, MultipartUpload=parts)

    (event,) = s3_events(stage, bucket, act)
    assert (event["detail"]["reason"], event["detail"]["object"]["size"]) == ("CompleteMultipartUpload", 100)
    assert event["detail"]["object"]["etag"].endswith("-1")


def test_a_copy_is_one_event(stage: Stage) -> None:
    """CopyObject, only for the new key."""
    bucket = stage.bucket()
    stage.client("s3").put_object(Bucket=bucket, Key="old", Body=b"1")
    (event,) = s3_events(stage, bucket, lambda s3: s3.copy_object(Bucket=bucket, Key="new", CopySource=f"{bucket}/old"))
    assert (event["detail"]["reason"], event["detail"]["object"]["key"]) == ("CopyObject", "new")


def test_a_bucket_that_does_not_tell_eventbridge_tells_nobody(stage: Stage) -> None:
    """Only buckets with EventBridge switched on raise events."""
    told, silent = stage.bucket(), stage.bucket("-silent")
    assert s3_events(stage, told, lambda s3: s3.put_object(Bucket=silent, Key="k")) == []


# ── Queues ────────────────────────────────────────────────────────────────────────────────────────────────────────


def queue_source(arn: str, **more: Any) -> EventSource:
    return EventSource("Source", "sqs", arn, "F", **({"batch_size": 10} | more))


def bodies(event: Any) -> list[str]:
    return [record["body"] for record in event["Records"]]


def test_a_queue_record_has_the_documented_shape(stage: Stage, shared: Path) -> None:
    """The keys of Lambda's sample event."""
    sample = json.loads((shared / "data/aws_sample_events/dev/powertools/sqsEvent.json").read_text())["Records"][0]
    arn = stage.queue()
    dispatcher = stage.run(event_sources=(queue_source(arn),))
    stage.send(arn, "hello")
    dispatcher.wait_idle(10)
    (record,) = stage.invoked[0][1]["Records"]
    assert set(record) == set(sample)
    assert set(record["attributes"]) >= set(sample["attributes"])
    assert all(isinstance(value, str) for value in record["attributes"].values())


def test_a_batch_grows_over_many_receives_within_its_window(stage: Stage) -> None:
    """35 messages, sent in two goes within the window, come as one batch."""
    arn = stage.queue()
    dispatcher = stage.run(event_sources=(queue_source(arn, batch_size=10_000, window_seconds=60),))
    stage.send(arn, *[str(number) for number in range(25)])
    time.sleep(0.3)
    stage.send(arn, *[str(number) for number in range(25, 35)])
    dispatcher.wait_idle(10)
    assert [len(event["Records"]) for _, event in stage.invoked] == [35]


def test_a_full_batch_does_not_wait_for_its_window(stage: Stage) -> None:
    """BatchSize is never exceeded and ends the window."""
    arn = stage.queue()
    stage.send(arn, *[str(number) for number in range(24)])
    dispatcher = stage.run(event_sources=(queue_source(arn, batch_size=12, window_seconds=600),))
    dispatcher.wait_idle(10)
    assert [len(event["Records"]) for _, event in stage.invoked] == [12, 12]


def test_only_the_failed_messages_of_a_batch_come_again(stage: Stage) -> None:
    """ReportBatchItemFailures: what is not named is deleted; what fails for good is redriven to the dead letters."""
    dead = stage.queue("-dead")
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 2})
    arn = stage.queue(RedrivePolicy=redrive, VisibilityTimeout="30")
    stage.answer = lambda event: failing(*[r["messageId"] for r in event["Records"] if r["body"] == '"bad"'])
    dispatcher = stage.run(event_sources=(queue_source(arn, report_failures=True),))
    stage.send(arn, '"good"', '"bad"', '"fine"')
    dispatcher.wait_idle(15)
    assert [sorted(bodies(event)) for _, event in stage.invoked] == [['"bad"', '"fine"', '"good"'], ['"bad"']]
    assert stage.messages(dead) == ["bad"]


@pytest.mark.parametrize("wrong", [failing("unknown"), {"batchItemFailures": [{"item": "x"}]}, failing("")])
def test_an_answer_that_names_no_message_fails_the_whole_batch(stage: Stage, wrong: Any) -> None:
    """As on AWS: an unknown, empty or missing itemIdentifier means that nothing is known to have succeeded."""
    arn, answers = stage.queue(VisibilityTimeout="30"), iter([wrong])
    stage.answer = lambda _: next(answers, None)
    dispatcher = stage.run(event_sources=(queue_source(arn, report_failures=True),))
    stage.send(arn, "1", "2")
    dispatcher.wait_idle(10)
    assert [sorted(bodies(event)) for _, event in stage.invoked] == [["1", "2"], ["1", "2"]]


def test_a_filter_holds_messages_back_and_deletes_them(stage: Stage) -> None:
    """A message whose body does not match never reaches the function and does not stay in the queue."""
    arn = stage.queue()
    dispatcher = stage.run(event_sources=(queue_source(arn, patterns=('{"body": {"kind": ["in"]}}',)),))
    stage.send(arn, '{"kind": "in"}', '{"kind": "out"}', "no json")
    dispatcher.wait_idle(10)
    assert [bodies(event) for _, event in stage.invoked] == [['{"kind": "in"}']]


def test_a_disabled_source_moves_nothing(stage: Stage) -> None:
    """Enabled: false leaves the messages where they are."""
    arn = stage.queue()
    stage.run(event_sources=(queue_source(arn, enabled=False),))
    stage.send(arn, '"kept"')
    assert stage.messages(arn) == ["kept"]


# ── Streams ───────────────────────────────────────────────────────────────────────────────────────────────────────


def stream_source(arn: str, **more: Any) -> EventSource:
    return EventSource("Source", "dynamodb", arn, "F", **({"batch_size": 100} | more))


def keys(event: Any) -> list[str]:
    return [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]


def test_a_stream_record_reaches_the_function_in_lambdas_shape(stage: Stage) -> None:
    """Only what passes the filter; time in seconds, bytes in base64, the stream's ARN on each record."""
    arn = stage.stream()
    dispatcher = stage.run(event_sources=(stream_source(arn, patterns=(PLANNED,)),))
    stage.put("formed", state="FORMING")
    stage.put("planned")
    dispatcher.wait_idle(10)
    ((_, event),) = stage.invoked
    (record,) = event["Records"]
    assert set(record) == {
        *("eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN"),
    }
    image = record["dynamodb"]
    assert set(image) == {
        *("ApproximateCreationDateTime", "Keys", "NewImage", "SequenceNumber", "SizeBytes", "StreamViewType"),
    }
    assert image["NewImage"]["blob"] == {"B": "AA=="}
    assert abs(image["ApproximateCreationDateTime"] - time.time()) < 30
    assert (record["eventName"], record["eventSourceARN"], keys(event)) == ("INSERT", arn, ["planned"])


def test_what_was_written_before_the_start_is_read_too(stage: Stage) -> None:
    """TRIM_HORIZON begins at the beginning, LATEST now; batches keep the order and their size."""
    arn = stage.stream()
    stage.put("1", "2", "3", "4", "5")
    dispatcher = stage.run(event_sources=(stream_source(arn, batch_size=2),))
    dispatcher.wait_idle(10)
    assert [keys(event) for _, event in stage.invoked] == [["1", "2"], ["3", "4"], ["5"]]


def test_a_poisonous_record_is_isolated_and_given_up(stage: Stage) -> None:
    """Bisecting isolates it; after its retries, its batch's positions go to the destination and the others go on."""
    arn, dead = stage.stream(), stage.queue("-dead")

    def answer(event: Any) -> None:
        if "bad" in keys(event):
            raise ValueError("bad")

    stage.answer = answer
    stage.put("1", "bad", "2")
    source = stream_source(arn, bisect=True, retries=1, on_failure=dead)
    stage.run(event_sources=(source,)).wait_idle(10)
    assert [keys(event) for _, event in stage.invoked] == [
        ["1", "bad", "2"],
        ["1"],
        ["bad", "2"],
        ["bad"],
        ["bad"],
        ["2"],
    ]
    (record,) = stage.messages(dead)
    assert set(record) == {"requestContext", "responseContext", "version", "timestamp", "DDBStreamBatchInfo"}
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert (record["DDBStreamBatchInfo"]["batchSize"], record["DDBStreamBatchInfo"]["streamArn"]) == (1, arn)


def test_a_reported_failure_goes_on_from_there(stage: Stage) -> None:
    """Records before the first that failed are done; it and all after it come again."""
    arn, first = stage.stream(), True

    def answer(event: Any) -> Any:
        nonlocal first
        if not first:
            return None
        first = False
        return failing(event["Records"][1]["dynamodb"]["SequenceNumber"])

    stage.answer = answer
    stage.put("1", "2", "3")
    stage.run(event_sources=(stream_source(arn, report_failures=True),)).wait_idle(10)
    assert [keys(event) for _, event in stage.invoked] == [["1", "2", "3"], ["2", "3"]]


# ── Asynchronous invocations ──────────────────────────────────────────────────────────────────────────────────────


def test_a_rule_invokes_its_function_and_tries_again(stage: Stage) -> None:
    """Three attempts, a minute and two apart by the clock, then the record of the failure goes to its destination."""
    dead = stage.queue("-dead")

    def answer(_: Any) -> None:
        raise ValueError("no")

    stage.answer = answer
    work = function("F", on_failure=dead)
    clock = Clock(speed=600, schedules=False)
    dispatcher = stage.run(clock=clock, functions=(work,), rules=(rule({"source": ["aws.x"]}, Target(work.arn)),))
    dispatcher.publish("aws.x", "Something", {"a": 1})
    dispatcher.wait_idle(10)
    first, second, third = stage.at
    assert (0.09 < second - first < 1, 0.19 < third - second < 1) == (True, True)
    (record,) = stage.messages(dead)
    context = {key: record["requestContext"][key] for key in ("condition", "approximateInvokeCount", "functionArn")}
    assert context == {
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
        "functionArn": f"{work.arn}:$LATEST",
    }
    assert record["requestPayload"]["detail"] == {"a": 1}
    assert record["responsePayload"] == {"errorType": "ValueError", "errorMessage": "no"}


def test_a_functions_dead_letters_get_the_bare_event(stage: Stage) -> None:
    """DeadLetterConfig, the older way: the event itself."""
    dead = stage.queue("-dead")

    def answer(_: Any) -> None:
        raise ValueError("no")

    stage.answer = answer
    work = function("F", dead_letters=dead, retries=0)
    dispatcher = stage.run(functions=(work,), rules=(rule({"source": ["aws.x"]}, Target(work.arn, input='{"i": 1}')),))
    dispatcher.publish("aws.x", "Something", {})
    dispatcher.wait_idle(10)
    assert stage.messages(dead) == [{"i": 1}]


def test_what_cannot_be_delivered_goes_to_the_targets_dead_letters(stage: Stage) -> None:
    """If a queue is missing, the event goes to the target's dead-letter queue."""
    dead = stage.queue("-dead")
    target = Target(ARN.format("sqs", "gone"), dead_letters=dead)
    dispatcher = stage.run(rules=(rule({"source": ["aws.x"]}, target),))
    dispatcher.publish("aws.x", "Something", {"a": 1})
    dispatcher.wait_idle(10)
    assert [event["detail"] for event in stage.messages(dead)] == [{"a": 1}]


# ── Schedules ─────────────────────────────────────────────────────────────────────────────────────────────────────


def schedule(expression: str, **more: Any) -> ScheduleSpec:
    text = '{"at": "<aws.scheduler.scheduled-time>", "try": "<aws.scheduler.attempt-number>"}'
    target = Target(function("F").arn, input=text)
    return ScheduleSpec("Tick", "tick", ARN.format("scheduler", "schedule/default/tick"), expression, target, **more)


def test_a_schedule_fires_when_the_clock_is_turned(stage: Stage) -> None:
    """rate(5 minutes) fires once when it becomes due, with the time that it was due at."""
    clock = Clock()
    dispatcher = stage.run(clock=clock, schedules=(schedule("rate(5 minutes)"),))
    time.sleep(0.3)
    assert stage.invoked == []
    started = clock.now()
    clock.advance(301)
    deadline = time.monotonic() + 5
    while not stage.invoked and time.monotonic() < deadline:
        time.sleep(0.02)
    dispatcher.wait_idle(5)
    ((_, event),) = stage.invoked
    assert event["try"] == "1"
    due = datetime.fromisoformat(event["at"])
    assert timedelta(seconds=290) < due - started < timedelta(seconds=301)


def test_speed_divides_the_period(stage: Stage) -> None:
    """rate(1 minute) at speed 300 fires every 0.2 seconds."""
    dispatcher = stage.run(clock=Clock(speed=300), schedules=(schedule("rate(1 minute)"),))
    time.sleep(1.1)
    dispatcher.halt()
    assert 3 <= len(stage.invoked) <= 6


def test_a_schedule_can_be_fired_by_hand(stage: Stage) -> None:
    """`fire` works even without automatic schedules; the error for an unknown name lists the known ones."""
    dispatcher = stage.run(
        schedules=(schedule("cron(0 3 * * ? *)"), replace(schedule("rate(1 day)"), logical_id="Other"))
    )
    dispatcher.fire("Tick")
    dispatcher.wait_idle(5)
    assert [name for name, _ in stage.invoked] == ["F"]
    with pytest.raises(KeyError, match="'Tick', 'Other'"):
        dispatcher.fire("Tock")


def test_a_rule_with_a_schedule_fires_too(stage: Stage) -> None:
    """Its targets are handed a Scheduled Event of aws.events, and no other event."""
    target = Target(function("F").arn)
    dispatcher = stage.run(clock=Clock(speed=300), rules=(rule(None, target, schedule="rate(1 minute)"),))
    dispatcher.publish("aws.x", "Something", {})
    time.sleep(0.5)
    dispatcher.halt()
    assert {(event["source"], event["detail-type"]) for _, event in stage.invoked} == {
        ("aws.events", "Scheduled Event")
    }


def test_a_schedule_without_input_sends_the_default_event(stage: Stage) -> None:
    """What EventBridge Scheduler sends then: a Scheduled Event of aws.scheduler."""
    spec = replace(schedule("rate(1 day)"), target=Target(function("F").arn))
    dispatcher = stage.run(schedules=(spec,))
    dispatcher.fire("Tick")
    dispatcher.wait_idle(5)
    ((_, event),) = stage.invoked
    assert (event["source"], event["detail-type"], event["resources"]) == (
        "aws.scheduler",
        "Scheduled Event",
        [spec.arn],
    )


AT = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "timezone", "expected"),
    [
        ("rate(1 minute)", "UTC", "2026-11-20T07:31:00+00:00"),
        ("rate(2 hours)", "UTC", "2026-11-20T09:30:00+00:00"),
        ("cron(0 3 * * ? *)", "UTC", "2026-11-21T03:00:00+00:00"),
        ("cron(0/15 * * * ? *)", "UTC", "2026-11-20T07:45:00+00:00"),
        ("cron(30 7 * * ? *)", "UTC", "2026-11-21T07:30:00+00:00"),
        ("cron(0 8 ? * MON-FRI *)", "UTC", "2026-11-20T08:00:00+00:00"),
        ("cron(0 6 ? * MON,3 *)", "UTC", "2026-11-23T06:00:00+00:00"),
        ("cron(0 0 1 JAN ? *)", "UTC", "2027-01-01T00:00:00+00:00"),
        ("cron(0 0 29 2 ? *)", "UTC", "2028-02-29T00:00:00+00:00"),
        ("cron(0 0 * * ? 2025)", "UTC", None),
        ("cron(0 3 * * ? *)", "Europe/Berlin", "2026-11-21T02:00:00+00:00"),
        ("at(2026-11-20T08:00:00)", "UTC", "2026-11-20T08:00:00+00:00"),
        ("at(2026-11-20T07:00:00)", "UTC", None),
    ],
)
def test_schedules_are_due_when_aws_says(expression: str, timezone: str, expected: str | None) -> None:
    """Rates from now on, crons in their zone with ranges, lists, steps and names, one-time schedules once."""
    due = next_due(expression, AT, timezone)
    assert (due.isoformat() if due else None) == expected


def test_an_hour_that_daylight_saving_skips_is_not_due() -> None:
    """02:30 does not exist in Berlin on 28 March 2027: the schedule waits for the next day, as AWS's does."""
    due = next_due("cron(30 2 * * ? *)", datetime(2027, 3, 27, 12, tzinfo=UTC), "Europe/Berlin")
    assert due == datetime(2027, 3, 29, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression", ["rate(0 minutes)", "rate(5 weeks)", "cron(0 0 * * *)", "cron(0 0 L * ? *)", "daily"]
)
def test_expressions_that_are_not_played_are_refused(expression: str) -> None:
    """A typo, or L, W and #."""
    with pytest.raises(ValueError, match=r"expected|not supported"):
        next_due(expression, AT)


# ── The whole ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_idle_sees_what_is_still_under_way(stage: Stage) -> None:
    """A running invocation and a waiting message keep the dispatcher busy; wait_idle says so when time is up."""
    arn, go = stage.queue(), threading.Event()
    stage.answer = lambda _: go.wait(10) and None
    dispatcher = stage.run(event_sources=(queue_source(arn),))
    assert dispatcher.idle()
    stage.send(arn, "1")
    with pytest.raises(TimeoutError, match="still busy"):
        dispatcher.wait_idle(0.5)
    go.set()
    dispatcher.wait_idle(10)
    assert len(stage.invoked) == 1


def test_stop_is_quick_and_silent(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """With sources, schedules and a pending retry: within a second and without a word."""
    work = function("F")

    def answer(_: Any) -> None:
        raise ValueError("no")

    stage.answer = answer
    dispatcher = stage.run(
        clock=Clock(),
        rules=(rule({"source": ["aws.x"]}, Target(work.arn)),),
        event_sources=(queue_source(stage.queue()), replace(stream_source(stage.stream()), logical_id="Stream")),
        schedules=(schedule("rate(1 minute)"),),
    )
    dispatcher.publish("aws.x", "Something", {})
    time.sleep(0.3)
    started = time.perf_counter()
    dispatcher.stop()
    assert time.perf_counter() - started < 1.5
    assert caplog.text == ""


def test_files_flow_through_the_small_pipeline(cloud: Any) -> None:
    """Puts → rule → queue → Collect → table → stream → Follow, in processes; a bad file ends in the dead letters."""
    s3, resources = cloud.client("s3"), cloud.deployment.resources
    for key in ("a b+é.json", "x/bad.json", "sour"):
        s3.put_object(Bucket=resources["RawBucket"].ref, Key=key, Body=b"{}")
    s3.put_object(Bucket=resources["SilentBucket"].ref, Key="silent")
    cloud.wait_idle(30)
    items = cloud.client("dynamodb").scan(TableName=resources["Table"].ref)["Items"]
    states = {item["pk"]["S"]: item["state"]["S"] for item in items}
    assert states == {"a b+é.json": "FOLLOWED", "sour": "PLANNED"}
    dead = cloud.client("sqs").receive_message(QueueUrl=resources["DeadLetters"].ref, MaxNumberOfMessages=10)
    letters = [json.loads(message["Body"]) for message in dead["Messages"]]
    assert sorted("DDBStreamBatchInfo" in letter for letter in letters) == [False, True]
    callers = {(call.access_key, call.operation) for call in cloud.calls if call.service == "dynamodb"}
    assert {("AKIALOCALCollect", "PutItem"), ("AKIALOCALFollow", "UpdateItem")} <= callers


def test_a_function_is_fired_by_name(cloud: Any) -> None:
    """With the input of its schedule, or with a payload; a function without a schedule needs one."""
    assert cloud.fire("Work").payload["kind"] == "plan"
    assert cloud.fire("Work", {"n": 1}).payload == {"n": 1}
    with pytest.raises(KeyError, match="Collect has no schedule"):
        cloud.fire("Collect")


def test_custom_events_reach_functions_through_rules(cloud: Any) -> None:
    """PutEvents through boto3 invokes the function of the matching rule, and aws.* is refused."""
    entry = {"Source": "small", "DetailType": "Due", "Detail": '{"state": "FORMING"}'}
    answer = cloud.client("events").put_events(Entries=[entry, entry | {"Source": "aws.small"}])
    assert (answer["FailedEntryCount"], answer["Entries"][1]["ErrorCode"]) == (1, "NotAuthorizedForSourceException")
    cloud.wait_idle(10)
    assert '"FORMING"' in (cloud.state_dir / "logs" / "Work.log").read_text().replace("'", '"')
