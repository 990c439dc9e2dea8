"""Records in the shapes that Lambda hands over."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.local.delivery.conftest import PLANNED, Stage, keys, queue_source, stream_source


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
