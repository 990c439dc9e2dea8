"""The dispatcher moves events as AWS does: shapes, batches, windows, filters, failures, retries, schedules."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from local.clock import Clock
from local.stack.deployment import Target
from tests.local.delivery.conftest import ARN, Stage, function, queue_source, rule, schedule, stream_source


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
    callers = {(call.access_key, call.operation) for call in cloud.calls}
    assert {("AKIALOCALCollect", "PutItem"), ("AKIALOCALFollow", "UpdateItem")} <= callers
    # The pollers, and what failed for good, go by the function's own role.
    assert {("AKIALOCALCollect", "ReceiveMessage"), ("AKIALOCALCollect", "DeleteMessageBatch")} <= callers
    assert {("AKIALOCALFollow", "GetRecords"), ("AKIALOCALFollow", "SendMessage")} <= callers


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
