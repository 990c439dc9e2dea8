"""How queues and streams reach a function."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.local.delivery.conftest import Stage, bodies, keys, queue_source, stream_source


def failing(*ids: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in ids]}


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
