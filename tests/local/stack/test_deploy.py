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
from local.stack.deploy import TYPES, delete, deploy
from local.stack.inventory import Inventory
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


def written(tmp_path: Path, resources: dict[str, Any], **more: Any) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": resources, **more}))
    return path


def _named(kind: str, key: str, name: str, policy: str = "Delete", **properties: Any) -> dict[str, Any]:
    policies = {"DeletionPolicy": policy, "UpdateReplacePolicy": policy.removesuffix("ExceptOnCreate")}
    return {"Type": kind, **policies, "Properties": {key: {"Fn::Sub": name}, **properties}}


TRUST = {"Version": "2012-10-17", "Statement": []}
KEYS: dict[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}


@pytest.fixture
def regional(aws: Any) -> Callable[[str], Callable[[str], Any]]:
    """Clients of a region."""
    return lambda region: lambda service: aws.client(service, region=region)


@pytest.mark.parametrize(
    ("resource", "is_shared"),
    [
        (_named("AWS::S3::Bucket", "BucketName", "${AWS::StackName}-global"), True),
        (_named("AWS::S3::Bucket", "BucketName", "${AWS::StackName}-${AWS::Region}"), False),
        (_named("AWS::IAM::Role", "RoleName", "${AWS::StackName}-role", AssumeRolePolicyDocument=TRUST), True),
        (_named("AWS::IAM::Role", "RoleName", "${AWS::Region}-role", AssumeRolePolicyDocument=TRUST), False),
        (_named("AWS::DynamoDB::Table", "TableName", "${AWS::StackName}-t", **KEYS), False),
        (_named("AWS::RedshiftServerless::Namespace", "NamespaceName", "${AWS::StackName}"), False),
    ],
)
def test_a_name_without_region_is_refused_in_the_second_region_where_aws_refuses_it(
    tmp_path: Path, regional: Any, resource: dict[str, Any], is_shared: bool
) -> None:
    """Bucket names are the world's, role names the account's; other names are free in each region."""
    path, inventory = written(tmp_path, {"X": resource}), Inventory()
    stack = f"regions-{abs(hash(str(resource)))}"
    first = deploy(path, regional("us-east-1"), stack=stack, inventory=inventory)
    if is_shared:
        with pytest.raises(TemplateError, match=r"X \(AWS::.+\): Resource of type .+ already exists"):
            deploy(path, regional("eu-west-1"), stack=stack, region="eu-west-1", inventory=inventory)
    else:
        second = deploy(path, regional("eu-west-1"), stack=stack, region="eu-west-1", inventory=inventory)
        delete(second, regional("eu-west-1"), inventory)
    delete(first, regional("us-east-1"), inventory)
    assert inventory == Inventory()


def test_a_stack_that_fails_leaves_nothing(tmp_path: Path, client: Callable[[str], Any]) -> None:
    """CloudFormation deletes what it has created, RetainExceptOnCreate included, so that the next try can succeed."""
    bucket = _named("AWS::S3::Bucket", "BucketName", "fails-bucket", "RetainExceptOnCreate")
    broken = {"Type": "AWS::SSM::Parameter", "DependsOn": "A", "Properties": {"Type": "String"}}
    inventory = Inventory()
    with pytest.raises(TemplateError, match="'Value' is missing"):
        deploy(written(tmp_path, {"A": bucket, "B": broken}), client, inventory=inventory)
    assert "fails-bucket" not in {found["Name"] for found in client("s3").list_buckets()["Buckets"]}
    assert inventory == Inventory()


def test_an_adoption_that_fails_leaves_what_was_there(tmp_path: Path, client: Callable[[str], Any]) -> None:
    """It can be adopted by the next try, and by no deployment that does not ask for it."""
    kept = {"A": _named("AWS::S3::Bucket", "BucketName", "left-bucket", "RetainExceptOnCreate")}
    broken = {"B": {"Type": "AWS::SSM::Parameter", "DependsOn": "A", "Properties": {"Type": "String"}}}
    inventory = Inventory()
    delete(deploy(written(tmp_path, kept), client, inventory=inventory), client, inventory)
    with pytest.raises(TemplateError, match="'Value' is missing"):
        deploy(written(tmp_path, kept | broken), client, inventory=inventory, adopt=True)
    with pytest.raises(TemplateError, match="already exists"):
        deploy(written(tmp_path, kept), client, inventory=inventory)
    again = deploy(written(tmp_path, kept), client, inventory=inventory, adopt=True)
    assert again.resources["A"].ref == "left-bucket"


def test_a_bucket_with_objects_cannot_be_deleted(tmp_path: Path, client: Callable[[str], Any]) -> None:
    """As on AWS, where the deletion of the stack then fails."""
    inventory = Inventory()
    path = written(tmp_path, {"A": _named("AWS::S3::Bucket", "BucketName", "full-bucket")})
    deployed = deploy(path, client, inventory=inventory)
    client("s3").put_object(Bucket="full-bucket", Key="a", Body=b"1")
    with pytest.raises(TemplateError, match=r"A \(AWS::S3::Bucket\): .*BucketNotEmpty"):
        delete(deployed, client, inventory)


def test_a_kept_database_keeps_its_tables_and_another_does_not(tmp_path: Path, client: Callable[[str], Any]) -> None:
    """Glue deletes a database together with the tables in it."""
    glue, inventory = client("glue"), Inventory()
    resources = {
        name: _named("AWS::Glue::Database", "DatabaseName", name, policy, DatabaseInput={"Name": name})
        for name, policy in (("kept", "RetainExceptOnCreate"), ("dropped", "Delete"))
    }
    deployed = deploy(written(tmp_path, resources), client, inventory=inventory)
    for name in resources:
        glue.create_table(DatabaseName=name, TableInput={"Name": "facts"})
    delete(deployed, client, inventory)
    assert [table["Name"] for table in glue.get_tables(DatabaseName="kept")["TableList"]] == ["facts"]
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_tables(DatabaseName="dropped")


def test_an_update_changes_what_differs_and_deletes_what_is_gone(tmp_path: Path, client: Callable[[str], Any]) -> None:
    """A parameter's new text, a queue's new timeout; a renamed bucket is another bucket, and a kept one stays."""
    inventory = Inventory()

    def resources(text: str, seconds: int, bucket: str) -> dict[str, Any]:
        return {
            "P": _named("AWS::SSM::Parameter", "Name", "/update/p", Type="String", Value=text),
            "Q": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": seconds}},
            "B": _named("AWS::S3::Bucket", "BucketName", bucket, "Retain"),
        }

    gone = {"Gone": {"Type": "AWS::SQS::Queue"}}
    first = deploy(written(tmp_path, resources("a", 10, "update-one") | gone), client, inventory=inventory)
    path = written(tmp_path, resources("b", 20, "update-two"))
    second = deploy(path, client, inventory=inventory, earlier=first)
    queue = client("sqs").get_queue_attributes(QueueUrl=second.resources["Q"].ref, AttributeNames=["All"])
    assert client("ssm").get_parameter(Name="/update/p")["Parameter"]["Value"] == "b"
    assert queue["Attributes"]["VisibilityTimeout"] == "20"
    assert client("sqs").list_queues(QueueNamePrefix="tidemark-Gone").get("QueueUrls", []) == []
    buckets = {found["Name"] for found in client("s3").list_buckets()["Buckets"]}
    assert {"update-one", "update-two"} <= buckets
