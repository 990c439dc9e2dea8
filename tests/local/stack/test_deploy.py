"""The deployer creates what the template says, and refuses what it does not play."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.account import TemplateError
from local.cloud import Cloud
from local.stack.deploy import TYPES, deploy
from local.stack.template import expand, load

ROOT = Path(__file__).resolve().parents[3]


def test_every_resource_exists_with_its_properties(cloud: Cloud) -> None:
    """Versioning, stream, recovery, expiry, redrive, retention and inline policies are where AWS would show them."""
    resources = cloud.deployment.resources
    raw, table = resources["RawBucket"].ref, resources["Table"].ref
    assert cloud.client("s3").get_bucket_versioning(Bucket=raw)["Status"] == "Enabled"
    dynamodb = cloud.client("dynamodb")
    assert dynamodb.describe_table(TableName=table)["Table"]["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["AttributeName"] == "expires"
    queue = cloud.client("sqs").get_queue_attributes(QueueUrl=resources["LandedQueue"].ref, AttributeNames=["All"])
    assert json.loads(queue["Attributes"]["RedrivePolicy"])["maxReceiveCount"] == 2
    assert cloud.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 30
    policies = cloud.client("iam").list_role_policies(RoleName=resources["CollectRole"].ref)["PolicyNames"]
    assert policies == ["CollectRolePolicy0"]
    alarm = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"][0]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "tidemark-DeadLetters"}]


def test_references_reach_functions_settings_and_outputs(cloud: Cloud) -> None:
    """Ref, GetAtt and Sub give the physical names; an absent variable is absent, not empty."""
    (collect,) = [spec for spec in cloud.deployment.functions if spec.logical_id == "Collect"]
    assert collect.environment == {"TABLE": "tidemark-Table", "BUCKET": "tidemark-rawbucket"}
    assert (collect.timeout_seconds, collect.memory_mb, collect.log_group) == (5, 256, "tidemark-Logs")
    assert cloud.settings == {"RAW_BUCKET": "tidemark-rawbucket", "WORKGROUP": "small"}
    assert cloud.deployment.outputs == {"Raw": "tidemark-rawbucket", "Functions": "tidemark-Collect/aws"}


def test_a_second_cloud_in_one_process_is_refused(cloud: Cloud) -> None:
    """moto's state is the process's: two clouds would see each other's buckets."""
    with pytest.raises(RuntimeError, match="already running"):
        Cloud(cloud.template).start()


def _bucket(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def _queue_source(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"FunctionName": "f", **properties}}


def _rule(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"source": ["x"]}, **properties}}


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ({"Type": "AWS::Foo::Bar"}, "X: resource type AWS::Foo::Bar"),
        ({"Type": "AWS::KinesisFirehose::DeliveryStream"}, "AWS::KinesisFirehose::DeliveryStream"),
        (_bucket(ReplicationConfiguration={}), r"X \(AWS::S3::Bucket\): property ReplicationConfiguration"),
        (_bucket(BucketName={"Fn::Cidr": []}), r"X \(AWS::S3::Bucket\).BucketName: intrinsic Fn::Cidr"),
        (
            _bucket(NotificationConfiguration={"QueueConfigurations": []}),
            r"NotificationConfiguration\.QueueConfigurations",
        ),
        (_bucket(VersioningConfiguration={"Statsu": "Enabled"}), "Statsu"),
        (_bucket() | {"CreationPolicy": {}}, "resource attribute CreationPolicy"),
        ({"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String"}}, "property 'Value' is missing"),
        (_queue_source(EventSourceArn="arn:aws:kinesis:r:a:s"), "source kinesis is not supported"),
        (_queue_source(EventSourceArn="arn:aws:sqs:r:a:q", BatchSize=11), "BatchSize 11 needs Maximum"),
        (_queue_source(EventSourceArn="arn:aws:sqs:r:a:q"), "no function f in the template"),
        (_rule(Targets=[{"Id": "t", "Arn": "arn:aws:ecs:r:a:c", "Input": "{}"}]), "ecs is not supported"),
        (_rule(Targets=[{"Id": "t", "Arn": "arn:aws:sqs:r:a:q", "SqsParameters": {}}]), "Targets.SqsParameters"),
        (_rule(EventPattern={"source": [{"almost": "x"}]}), "unknown operator 'almost'"),
        (_rule(EventBusName="other"), "only the default bus"),
        (_rule(ScheduleExpression="cron(0 0 L * ? *)"), "property ScheduleExpression"),
    ],
)
def test_what_is_not_played_is_an_error_that_names_it(
    tmp_path: Path, client: Callable[[str], Any], resource: dict[str, Any], message: str
) -> None:
    """Type, property, nested property, intrinsic, pattern, target: nothing is ever skipped in silence."""
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": {"X": resource}}))
    with pytest.raises(TemplateError, match=message):
        deploy(path, client)


def test_a_circle_is_refused(tmp_path: Path, client: Callable[[str], Any]) -> None:
    """Two resources that refer to each other are named."""
    path = tmp_path / "template.yaml"
    a, b = _bucket(BucketName={"Ref": "B"}), _bucket(BucketName={"Ref": "A"})
    path.write_text(yaml.safe_dump({"Resources": {"A": a, "B": b}}))
    with pytest.raises(TemplateError, match=r"circular dependency: .*A"):
        deploy(path, client)


def test_every_inert_property_has_a_reason() -> None:
    """What a laptop ignores, it ignores for a reason, and honours nothing that it ignores."""
    assert any(type_.ignored for type_ in TYPES.values())
    for kind, type_ in TYPES.items():
        assert all(type_.ignored.values()), kind
        assert not type_.supported & type_.ignored.keys(), kind


def test_the_products_template_is_played_whole() -> None:
    """Every type and property of template.yaml is supported or ignored for a reason."""
    resources = expand(load(ROOT / "template.yaml"))["Resources"]
    assert len(resources) > 50
    for name, resource in resources.items():
        kind = resource["Type"]
        assert kind in TYPES, f"{name}: {kind}"
        TYPES[kind].effective(name, kind, resource.get("Properties", {}))
