"""Storage and compute resources: buckets, queues, tables, roles, databases, parameters, Spark and Redshift."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.account import REGION, TemplateError
from local.stack.builder import Properties, StackBuilder, as_bool, camel, only, resource_type, subset
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
    if not builder.exists:
        s3.create_bucket(Bucket=name, **_location(builder.region))
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
    regional = f"{name}.s3.{builder.region}.amazonaws.com"
    return Created("", name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional})


def _location(region: str) -> dict[str, Any]:
    """S3 wants the region in the request for all but the first one."""
    return {} if region == REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}


def delete_bucket(builder: StackBuilder, created: Created) -> None:
    builder.client("s3").delete_bucket(Bucket=created.ref)


def bucket_policy(_: StackBuilder, __: str, p: Properties) -> Created:
    return Created("", p["Bucket"])


def queue(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p.get("QueueName", builder.name(logical_id))
    numbers = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "MaximumMessageSize")
    documents = ("RedrivePolicy", "RedriveAllowPolicy")
    attributes = {key: str(p[key]) for key in numbers if key in p}
    attributes |= {key: json.dumps(p[key]) for key in documents if key in p}
    sqs = builder.client("sqs")
    if builder.exists:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    else:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return Created("", url, {"Arn": builder.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def delete_queue(builder: StackBuilder, created: Created) -> None:
    builder.client("sqs").delete_queue(QueueUrl=created.ref)


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
    if not builder.exists:
        dynamodb.create_table(
            TableName=name,
            **subset(p, "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput"),
            **subset(p, "GlobalSecondaryIndexes", "LocalSecondaryIndexes"),
            **({"StreamSpecification": {"StreamEnabled": True, **stream}} if stream else {}),
        )
    answer = dynamodb.describe_table(TableName=name)["Table"]
    if recovery := p.get("PointInTimeRecoverySpecification"):
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    if expiry := p.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    attributes = {"Arn": answer["TableArn"], "StreamArn": answer.get("LatestStreamArn", "")}
    return Created("", name, {key: value for key, value in attributes.items() if value})


def delete_table(builder: StackBuilder, created: Created) -> None:
    builder.client("dynamodb").delete_table(TableName=created.ref)


def role(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    iam, name = builder.client("iam"), p.get("RoleName", builder.name(logical_id))
    trust = json.dumps(p["AssumeRolePolicyDocument"])
    if builder.exists:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    else:
        optional = subset(p, "Path", "Description", "MaxSessionDuration")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **optional)
    created = iam.get_role(RoleName=name)["Role"]
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
    if builder.earlier:
        builder.client("iam").delete_policy(PolicyArn=builder.earlier.ref)
    created = builder.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(p["PolicyDocument"]))
    found = created["Policy"]
    builder.grants.append(
        Grants(logical_id, name, found["Arn"], found["PolicyId"], is_role=False, documents=(p["PolicyDocument"],))
    )
    return Created("", found["Arn"], {"PolicyArn": found["Arn"], "PolicyId": found["PolicyId"]})


def delete_managed_policy(builder: StackBuilder, created: Created) -> None:
    builder.client("iam").delete_policy(PolicyArn=created.ref)


def delete_role(builder: StackBuilder, created: Created) -> None:
    iam = builder.client("iam")
    for policy in iam.list_role_policies(RoleName=created.ref)["PolicyNames"]:
        iam.delete_role_policy(RoleName=created.ref, PolicyName=policy)
    iam.delete_role(RoleName=created.ref)


def glue_database(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p["DatabaseInput"]["Name"]
    if p.get("DatabaseName", name) != name:
        raise TemplateError(
            f"{logical_id}: property DatabaseName: {p['DatabaseName']} is not DatabaseInput.Name {name}"
        )
    if not builder.exists:
        builder.client("glue").create_database(DatabaseInput=p["DatabaseInput"])
    return Created("", name)


def delete_glue_database(builder: StackBuilder, created: Created) -> None:
    """Deletes the database with its tables, as Glue does."""
    builder.client("glue").delete_database(Name=created.ref)


def spark_application(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    emr = builder.client("emr-serverless")
    settings = camel(
        subset(p, "ReleaseLabel", "Architecture", "MaximumCapacity", "SchedulerConfiguration")
        | subset(p, "AutoStartConfiguration", "AutoStopConfiguration")
    )
    if builder.earlier is None:
        name = p.get("Name", builder.name(logical_id))
        application_id = emr.create_application(name=name, type=p["Type"].upper(), **settings)["applicationId"]
    else:
        application_id = builder.earlier.ref
        if p != builder.earlier.properties:  # or the service would refuse, because the application is started
            emr.update_application(applicationId=application_id, **settings)
    arn = builder.arn("emr-serverless", f"/applications/{application_id}")
    return Created("", application_id, {"ApplicationId": application_id, "Arn": arn})


def delete_spark_application(builder: StackBuilder, created: Created) -> None:
    builder.client("emr-serverless").delete_application(applicationId=created.ref)


def warehouse_namespace(builder: StackBuilder, _: str, p: Properties) -> Created:
    name = p["NamespaceName"]
    facts = {
        "NamespaceName": name,
        "NamespaceId": f"local-{name}",
        "NamespaceArn": builder.arn("redshift-serverless", f"namespace/local-{name}"),
        "DbName": p.get("DbName", "dev"),
    }
    return Created("", name, facts | {f"Namespace.{key}": value for key, value in facts.items()})


def workgroup(builder: StackBuilder, _: str, p: Properties) -> Created:
    name = p["WorkgroupName"]
    facts = {
        "WorkgroupName": name,
        "WorkgroupId": f"local-{name}",
        "WorkgroupArn": builder.arn("redshift-serverless", f"workgroup/local-{name}"),
        "Endpoint.Address": "127.0.0.1",
        "Endpoint.Port": "5439",
    }
    return Created("", name, facts | {f"Workgroup.{key}": value for key, value in facts.items()})


def delete_parameter(builder: StackBuilder, created: Created) -> None:
    builder.client("ssm").delete_parameter(Name=created.ref)


def parameter(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p.get("Name", builder.name(logical_id))
    optional = subset(p, "Description", "AllowedPattern", "Tier")
    builder.client("ssm").put_parameter(
        Name=name, Value=p["Value"], Type=p["Type"], Overwrite=builder.exists, **optional
    )
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
        named_by="BucketName",
        delete=delete_bucket,
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
        named_by="QueueName",
        delete=delete_queue,
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
        named_by="TableName",
        delete=delete_table,
    ),
    "AWS::IAM::Role": resource_type(
        role,
        "RoleName AssumeRolePolicyDocument Policies ManagedPolicyArns Path Description MaxSessionDuration",
        TAGS,
        named_by="RoleName",
        delete=delete_role,
    ),
    "AWS::IAM::ManagedPolicy": resource_type(
        managed_policy,
        "ManagedPolicyName PolicyDocument",
        {"Description": "for people"},
        delete=delete_managed_policy,
    ),
    "AWS::Glue::Database": resource_type(
        glue_database,
        "DatabaseName DatabaseInput",
        {"CatalogId": "there is one account", **TAGS},
        named_by="DatabaseName",
        delete=delete_glue_database,
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
        delete=delete_spark_application,
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
        named_by="NamespaceName",
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
        named_by="WorkgroupName",
    ),
    "AWS::SSM::Parameter": resource_type(
        parameter, "Name Value Type Description AllowedPattern Tier", TAGS, named_by="Name", delete=delete_parameter
    ),
}
