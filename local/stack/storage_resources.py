"""The resources that hold something: buckets, queues, tables, roles, parameters, applications, alarms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.account import REGION
from local.stack.builder import Building, Properties, arn, as_bool, camel, only, played, subset
from local.stack.deployment import Created

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.stack.builder import ResourceType

NO_AWS_ACCESS = "IAM is not enforced on a laptop"
NO_DISK = "nothing is stored beyond the process, so there is nothing to encrypt"
NO_TIME = "a laptop cloud does not live long enough"
NO_BILL = "tags sort bills and there is none"
TAGS = {"Tags": NO_BILL}


def bucket(building: Building, logical_id: str, p: Properties) -> Created:
    s3, name = building.client("s3"), p.get("BucketName", building.name(logical_id).lower())
    s3.create_bucket(Bucket=name)
    if versioning := p.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
    notification = p.get("NotificationConfiguration", {})
    only(logical_id, "NotificationConfiguration", notification, {"EventBridgeConfiguration"})
    if "EventBridgeConfiguration" in notification:
        settings = notification["EventBridgeConfiguration"]
        only(logical_id, "EventBridgeConfiguration", settings, {"EventBridgeEnabled"})
        if as_bool(settings.get("EventBridgeEnabled", True)):
            building.event_buckets.add(name)
    domain = f"{name}.s3.amazonaws.com"
    regional = f"{name}.s3.{REGION}.amazonaws.com"
    return Created("", name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional})


def bucket_policy(_: Building, __: str, p: Properties) -> Created:
    return Created("", p["Bucket"])


def queue(building: Building, logical_id: str, p: Properties) -> Created:
    name = p.get("QueueName", building.name(logical_id))
    numbers = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "MaximumMessageSize")
    documents = ("RedrivePolicy", "RedriveAllowPolicy")
    attributes = {key: str(p[key]) for key in numbers if key in p}
    attributes |= {key: json.dumps(p[key]) for key in documents if key in p}
    url = building.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return Created("", url, {"Arn": arn("sqs", name), "QueueName": name, "QueueUrl": url})


def queue_policy(building: Building, logical_id: str, p: Properties) -> Created:
    for url in p["Queues"]:
        attributes = {"Policy": json.dumps(p["PolicyDocument"])}
        building.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return Created("", building.name(logical_id))


def table(building: Building, logical_id: str, p: Properties) -> Created:
    dynamodb, name = building.client("dynamodb"), p.get("TableName", building.name(logical_id))
    stream = p.get("StreamSpecification")
    if stream:
        only(logical_id, "StreamSpecification", stream, {"StreamViewType"})
    answer = dynamodb.create_table(
        TableName=name,
        **subset(p, "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput"),
        **subset(p, "GlobalSecondaryIndexes", "LocalSecondaryIndexes"),
        **({"StreamSpecification": {"StreamEnabled": True, **stream}} if stream else {}),
    )["TableDescription"]
    if recovery := p.get("PointInTimeRecoverySpecification"):
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    if expiry := p.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    attributes = {"Arn": answer["TableArn"], "StreamArn": answer.get("LatestStreamArn", "")}
    return Created("", name, {key: value for key, value in attributes.items() if value})


def role(building: Building, logical_id: str, p: Properties) -> Created:
    iam, name = building.client("iam"), p.get("RoleName", building.name(logical_id))
    created = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(p["AssumeRolePolicyDocument"]),
        **subset(p, "Path", "Description", "MaxSessionDuration"),
    )["Role"]
    for policy in p.get("Policies", []):
        # SAM leaves the version out where it adds a statement of its own; AWS takes that, moto does not.
        document = json.dumps({"Version": "2012-10-17"} | policy["PolicyDocument"])
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    return Created("", name, {"Arn": created["Arn"], "RoleId": created["RoleId"]})


def glue_database(building: Building, _: str, p: Properties) -> Created:
    building.client("glue").create_database(DatabaseInput=p["DatabaseInput"])
    return Created("", p["DatabaseInput"]["Name"])


def spark_application(building: Building, logical_id: str, p: Properties) -> Created:
    answer = building.client("emr-serverless").create_application(
        name=p.get("Name", building.name(logical_id)),
        type=p["Type"].upper(),
        **camel(subset(p, "ReleaseLabel", "Architecture", "MaximumCapacity", "SchedulerConfiguration")),
        **camel(subset(p, "AutoStartConfiguration", "AutoStopConfiguration")),
    )
    return Created("", answer["applicationId"], {"ApplicationId": answer["applicationId"], "Arn": answer["arn"]})


def warehouse_namespace(_: Building, logical_id: str, p: Properties) -> Created:
    name = p["NamespaceName"]
    facts = {
        "NamespaceName": name,
        "NamespaceId": f"local-{logical_id.lower()}",
        "NamespaceArn": arn("redshift-serverless", f"namespace/local-{logical_id.lower()}"),
        "DbName": p.get("DbName", "dev"),
    }
    return Created("", name, facts | {f"Namespace.{key}": value for key, value in facts.items()})


def workgroup(_: Building, logical_id: str, p: Properties) -> Created:
    name = p["WorkgroupName"]
    facts = {
        "WorkgroupName": name,
        "WorkgroupId": f"local-{logical_id.lower()}",
        "WorkgroupArn": arn("redshift-serverless", f"workgroup/local-{logical_id.lower()}"),
        "Endpoint.Address": "127.0.0.1",
        "Endpoint.Port": "5439",
    }
    return Created("", name, facts | {f"Workgroup.{key}": value for key, value in facts.items()})


def parameter(building: Building, logical_id: str, p: Properties) -> Created:
    name = p.get("Name", building.name(logical_id))
    optional = subset(p, "Description", "AllowedPattern", "Tier")
    building.client("ssm").put_parameter(Name=name, Value=p["Value"], Type=p["Type"], **optional)
    return Created("", name, {"Type": p["Type"], "Value": p["Value"]})


TYPES: Mapping[str, ResourceType] = {
    "AWS::S3::Bucket": played(
        bucket,
        "BucketName VersioningConfiguration NotificationConfiguration",
        {
            "BucketEncryption": NO_DISK,
            "PublicAccessBlockConfiguration": "the endpoint listens on loopback alone",
            "OwnershipControls": NO_AWS_ACCESS,
            "LifecycleConfiguration": NO_TIME,
            "LoggingConfiguration": "calls are recorded by the endpoint",
            **TAGS,
        },
    ),
    "AWS::S3::BucketPolicy": played(
        bucket_policy,
        "Bucket",
        {"PolicyDocument": "moto applies a Deny and forgets its Condition: all would be denied"},
    ),
    "AWS::SQS::Queue": played(
        queue,
        "QueueName VisibilityTimeout MessageRetentionPeriod DelaySeconds MaximumMessageSize RedrivePolicy "
        "RedriveAllowPolicy",
        {
            "ReceiveMessageWaitTimeSeconds": "a wait only makes empty answers rarer",
            "KmsMasterKeyId": NO_DISK,
            "KmsDataKeyReusePeriodSeconds": NO_DISK,
            "SqsManagedSseEnabled": NO_DISK,
            **TAGS,
        },
    ),
    "AWS::SQS::QueuePolicy": played(queue_policy, "Queues PolicyDocument"),
    "AWS::DynamoDB::Table": played(
        table,
        "TableName AttributeDefinitions KeySchema BillingMode ProvisionedThroughput GlobalSecondaryIndexes "
        "LocalSecondaryIndexes StreamSpecification PointInTimeRecoverySpecification TimeToLiveSpecification",
        {
            "SSESpecification": NO_DISK,
            "DeletionProtectionEnabled": "the table ends with the process",
            "OnDemandThroughput": "a laptop does not throttle",
            "ContributorInsightsSpecification": "there are no insights to buy",
            "TableClass": "a storage price",
            **TAGS,
        },
    ),
    "AWS::IAM::Role": played(
        role,
        "RoleName AssumeRolePolicyDocument Policies Path Description MaxSessionDuration",
        {
            "ManagedPolicyArns": f"{NO_AWS_ACCESS}; AWS's managed policies are not at hand",
            "PermissionsBoundary": NO_AWS_ACCESS,
            **TAGS,
        },
    ),
    "AWS::Glue::Database": played(
        glue_database,
        "DatabaseInput",
        {"CatalogId": "there is one account", "DatabaseName": "named by its input", **TAGS},
    ),
    "AWS::EMRServerless::Application": played(
        spark_application,
        "Name Type ReleaseLabel Architecture MaximumCapacity SchedulerConfiguration AutoStartConfiguration "
        "AutoStopConfiguration",
        {
            "InitialCapacity": "no worker waits on a laptop",
            "MonitoringConfiguration": "logs lie in the state folder",
            "NetworkConfiguration": "there is no network to join",
            "RuntimeConfiguration": "the job's packages are those of the venv",
            "WorkerTypeSpecifications": "no worker images on a laptop",
            "InteractiveConfiguration": "jobs only",
            **TAGS,
        },
    ),
    "AWS::RedshiftServerless::Namespace": played(
        warehouse_namespace,
        "NamespaceName DbName",
        {
            "AdminUsername": NO_AWS_ACCESS,
            "AdminUserPassword": NO_AWS_ACCESS,
            "ManageAdminPassword": NO_AWS_ACCESS,
            "AdminPasswordSecretKmsKeyId": NO_DISK,
            "DefaultIamRoleArn": NO_AWS_ACCESS,
            "IamRoles": NO_AWS_ACCESS,
            "KmsKeyId": NO_DISK,
            "LogExports": "statements are listed by the Data API",
            "FinalSnapshotName": NO_TIME,
            "FinalSnapshotRetentionPeriod": NO_TIME,
            **TAGS,
        },
    ),
    "AWS::RedshiftServerless::Workgroup": played(
        workgroup,
        "WorkgroupName NamespaceName",
        {
            "BaseCapacity": "DuckDB takes what the laptop has",
            "MaxCapacity": "DuckDB takes what the laptop has",
            "PricePerformanceTarget": "nothing is billed",
            "ConfigParameters": "settings of Redshift's own engine",
            "PubliclyAccessible": "the endpoint listens on loopback alone",
            "EnhancedVpcRouting": "there is no network to join",
            "SubnetIds": "there is no network to join",
            "SecurityGroupIds": "there is no network to join",
            "Port": "the Data API alone is played",
            "TrackName": "DuckDB has one track",
            **TAGS,
        },
    ),
    "AWS::SSM::Parameter": played(parameter, "Name Value Type Description AllowedPattern Tier", TAGS),
}
