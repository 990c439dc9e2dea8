"""Storage and compute resources: buckets, queues, tables, roles, databases, parameters, Spark and Redshift."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.account import REGION
from local.stack.builder import Properties, StackBuilder, arn, as_bool, camel, only, resource_type, subset
from local.stack.deployment import Created, Grants

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.stack.builder import ResourceType

NO_AWS_ACCESS = "the laptop cloud enforces only the policies of roles"
NO_DISK = "no data outlives the process, so there is nothing to encrypt"
NO_TIME = "the laptop cloud does not run long enough"
NO_BILL = "tags allocate costs, and there are none"
TAGS = {"Tags": NO_BILL}


def bucket(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    s3, name = builder.client("s3"), p.get("BucketName", builder.name(logical_id).lower())
    s3.create_bucket(Bucket=name)
    if versioning := p.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
    notification = p.get("NotificationConfiguration", {})
    only(logical_id, "NotificationConfiguration", notification, {"EventBridgeConfiguration"})
    if "EventBridgeConfiguration" in notification:
        settings = notification["EventBridgeConfiguration"]
        only(logical_id, "EventBridgeConfiguration", settings, {"EventBridgeEnabled"})
        if as_bool(settings.get("EventBridgeEnabled", True)):
            builder.event_buckets.add(name)
    domain = f"{name}.s3.amazonaws.com"
    regional = f"{name}.s3.{REGION}.amazonaws.com"
    return Created("", name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional})


def bucket_policy(_: StackBuilder, __: str, p: Properties) -> Created:
    return Created("", p["Bucket"])


def queue(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p.get("QueueName", builder.name(logical_id))
    numbers = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "MaximumMessageSize")
    documents = ("RedrivePolicy", "RedriveAllowPolicy")
    attributes = {key: str(p[key]) for key in numbers if key in p}
    attributes |= {key: json.dumps(p[key]) for key in documents if key in p}
    url = builder.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return Created("", url, {"Arn": arn("sqs", name), "QueueName": name, "QueueUrl": url})


def queue_policy(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    for url in p["Queues"]:
        attributes = {"Policy": json.dumps(p["PolicyDocument"])}
        builder.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return Created("", builder.name(logical_id))


def table(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    dynamodb, name = builder.client("dynamodb"), p.get("TableName", builder.name(logical_id))
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


def role(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    iam, name = builder.client("iam"), p.get("RoleName", builder.name(logical_id))
    created = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(p["AssumeRolePolicyDocument"]),
        **subset(p, "Path", "Description", "MaxSessionDuration"),
    )["Role"]
    for policy in p.get("Policies", []):
        # SAM omits Version from the statements that it adds itself; AWS accepts that, moto does not.
        document = json.dumps({"Version": "2012-10-17"} | policy["PolicyDocument"])
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    documents = tuple(policy["PolicyDocument"] for policy in p.get("Policies", []))
    managed = tuple(p.get("ManagedPolicyArns", ()))
    builder.grants.append(
        Grants(logical_id, name, created["Arn"], created["RoleId"], is_role=True, documents=documents, managed=managed)
    )
    return Created("", name, {"Arn": created["Arn"], "RoleId": created["RoleId"]})


def managed_policy(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p.get("ManagedPolicyName", builder.name(logical_id))
    created = builder.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(p["PolicyDocument"]))
    found = created["Policy"]
    builder.grants.append(
        Grants(logical_id, name, found["Arn"], found["PolicyId"], is_role=False, documents=(p["PolicyDocument"],))
    )
    return Created("", found["Arn"], {"PolicyArn": found["Arn"], "PolicyId": found["PolicyId"]})


def glue_database(builder: StackBuilder, _: str, p: Properties) -> Created:
    builder.client("glue").create_database(DatabaseInput=p["DatabaseInput"])
    return Created("", p["DatabaseInput"]["Name"])


def spark_application(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    answer = builder.client("emr-serverless").create_application(
        name=p.get("Name", builder.name(logical_id)),
        type=p["Type"].upper(),
        **camel(subset(p, "ReleaseLabel", "Architecture", "MaximumCapacity", "SchedulerConfiguration")),
        **camel(subset(p, "AutoStartConfiguration", "AutoStopConfiguration")),
    )
    return Created("", answer["applicationId"], {"ApplicationId": answer["applicationId"], "Arn": answer["arn"]})


def warehouse_namespace(_: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p["NamespaceName"]
    facts = {
        "NamespaceName": name,
        "NamespaceId": f"local-{logical_id.lower()}",
        "NamespaceArn": arn("redshift-serverless", f"namespace/local-{logical_id.lower()}"),
        "DbName": p.get("DbName", "dev"),
    }
    return Created("", name, facts | {f"Namespace.{key}": value for key, value in facts.items()})


def workgroup(_: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p["WorkgroupName"]
    facts = {
        "WorkgroupName": name,
        "WorkgroupId": f"local-{logical_id.lower()}",
        "WorkgroupArn": arn("redshift-serverless", f"workgroup/local-{logical_id.lower()}"),
        "Endpoint.Address": "127.0.0.1",
        "Endpoint.Port": "5439",
    }
    return Created("", name, facts | {f"Workgroup.{key}": value for key, value in facts.items()})


def parameter(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p.get("Name", builder.name(logical_id))
    optional = subset(p, "Description", "AllowedPattern", "Tier")
    builder.client("ssm").put_parameter(Name=name, Value=p["Value"], Type=p["Type"], **optional)
    return Created("", name, {"Type": p["Type"], "Value": p["Value"]})


TYPES: Mapping[str, ResourceType] = {
    "AWS::S3::Bucket": resource_type(
        bucket,
        "BucketName VersioningConfiguration NotificationConfiguration",
        {
            "BucketEncryption": NO_DISK,
            "PublicAccessBlockConfiguration": "the endpoint listens only on loopback",
            "OwnershipControls": NO_AWS_ACCESS,
            "LifecycleConfiguration": NO_TIME,
            "LoggingConfiguration": "calls are recorded by the endpoint",
            **TAGS,
        },
    ),
    "AWS::S3::BucketPolicy": resource_type(
        bucket_policy,
        "Bucket",
        {"PolicyDocument": "moto applies a Deny and forgets its Condition: all would be denied"},
    ),
    "AWS::SQS::Queue": resource_type(
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
    "AWS::SQS::QueuePolicy": resource_type(queue_policy, "Queues PolicyDocument"),
    "AWS::DynamoDB::Table": resource_type(
        table,
        "TableName AttributeDefinitions KeySchema BillingMode ProvisionedThroughput GlobalSecondaryIndexes "
        "LocalSecondaryIndexes StreamSpecification PointInTimeRecoverySpecification TimeToLiveSpecification",
        {
            "SSESpecification": NO_DISK,
            "DeletionProtectionEnabled": "the table ends with the process",
            "OnDemandThroughput": "the laptop cloud does not throttle",
            "ContributorInsightsSpecification": "the laptop cloud has no Contributor Insights",
            "TableClass": "it affects only the price",
            **TAGS,
        },
    ),
    "AWS::IAM::Role": resource_type(
        role,
        "RoleName AssumeRolePolicyDocument Policies ManagedPolicyArns Path Description MaxSessionDuration",
        TAGS,
    ),
    "AWS::IAM::ManagedPolicy": resource_type(
        managed_policy, "ManagedPolicyName PolicyDocument", {"Description": "for people"}
    ),
    "AWS::Glue::Database": resource_type(
        glue_database,
        "DatabaseInput",
        {"CatalogId": "there is one account", "DatabaseName": "DatabaseInput has the name", **TAGS},
    ),
    "AWS::EMRServerless::Application": resource_type(
        spark_application,
        "Name Type ReleaseLabel Architecture MaximumCapacity SchedulerConfiguration AutoStartConfiguration "
        "AutoStopConfiguration",
        {
            "InitialCapacity": "the laptop cloud has no pre-initialized workers",
            "MonitoringConfiguration": "logs go to the state folder",
            "NetworkConfiguration": "there is no network to join",
            "RuntimeConfiguration": "jobs use the packages of the venv",
            "WorkerTypeSpecifications": "the laptop cloud has no worker images",
            "InteractiveConfiguration": "the laptop cloud runs only jobs",
            **TAGS,
        },
    ),
    "AWS::RedshiftServerless::Namespace": resource_type(
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
            "LogExports": "the Data API lists the statements",
            "FinalSnapshotName": NO_TIME,
            "FinalSnapshotRetentionPeriod": NO_TIME,
            **TAGS,
        },
    ),
    "AWS::RedshiftServerless::Workgroup": resource_type(
        workgroup,
        "WorkgroupName NamespaceName",
        {
            "BaseCapacity": "DuckDB uses what the laptop has",
            "MaxCapacity": "DuckDB uses what the laptop has",
            "PricePerformanceTarget": "nothing is billed",
            "ConfigParameters": "settings of Redshift's own engine",
            "PubliclyAccessible": "the endpoint listens only on loopback",
            "EnhancedVpcRouting": "there is no network to join",
            "SubnetIds": "there is no network to join",
            "SecurityGroupIds": "there is no network to join",
            "Port": "the laptop cloud supports only the Data API",
            "TrackName": "DuckDB has one track",
            **TAGS,
        },
    ),
    "AWS::SSM::Parameter": resource_type(parameter, "Name Value Type Description AllowedPattern Tier", TAGS),
}
