"""What a bucket tells EventBridge."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.stack.deployment import Target
from tests.local.delivery.conftest import Stage, rule

CREATED = {"source": ["aws.s3"], "detail-type": ["Object Created"]}


def s3_events(stage: Stage, bucket: str, act: Callable[[Any], None], pattern: dict[str, Any] = CREATED) -> list[Any]:
    """The events that a rule delivers to a queue while `act` works on the bucket."""
    queue = stage.queue("-events")
    dispatcher = stage.run(rules=(rule(pattern, Target(queue)),), event_buckets=frozenset({bucket}))
    act(stage.client("s3"))
    dispatcher.wait_idle(10)
    return stage.messages(queue)


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
