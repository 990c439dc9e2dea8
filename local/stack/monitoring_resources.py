"""Monitoring resources: log groups, topics, alarms and dashboards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.account import TemplateError
from local.stack.builder import Properties, StackBuilder, camel, resource_type
from local.stack.deployment import Created
from local.stack.storage_resources import NO_DISK, TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.stack.builder import ResourceType

ALARM_ACTIONS = "alarms never go off on a laptop, and no mail is sent"


def log_group(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    logs, name = builder.client("logs"), p.get("LogGroupName", builder.name(logical_id))
    if not builder.exists:
        logs.create_log_group(logGroupName=name)
    if days := p.get("RetentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    return Created("", name, {"Arn": builder.arn("logs", f"log-group:{name}:*")})


def delete_log_group(builder: StackBuilder, created: Created) -> None:
    builder.client("logs").delete_log_group(logGroupName=created.ref)


def metric_filter(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p.get("FilterName", builder.name(logical_id))
    transformations = [camel(transformation) for transformation in p["MetricTransformations"]]
    builder.client("logs").put_metric_filter(
        logGroupName=p["LogGroupName"],
        filterName=name,
        filterPattern=p["FilterPattern"],
        metricTransformations=transformations,
    )
    return Created("", name)


def topic(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    sns, name = builder.client("sns"), p.get("TopicName", builder.name(logical_id))
    topic_arn = sns.create_topic(Name=name)["TopicArn"]
    for subscription in p.get("Subscription", []):
        sns.subscribe(TopicArn=topic_arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
    return Created("", topic_arn, {"TopicArn": topic_arn, "TopicName": name})


def delete_topic(builder: StackBuilder, created: Created) -> None:
    builder.client("sns").delete_topic(TopicArn=created.ref)


def subscription(builder: StackBuilder, _: str, p: Properties) -> Created:
    answer = builder.client("sns").subscribe(
        TopicArn=p["TopicArn"], Protocol=p["Protocol"], Endpoint=p["Endpoint"], ReturnSubscriptionArn=True
    )
    return Created("", answer["SubscriptionArn"], {"Arn": answer["SubscriptionArn"]})


def topic_policy(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    for topic_arn in p["Topics"]:
        document = json.dumps(p["PolicyDocument"])
        builder.client("sns").set_topic_attributes(TopicArn=topic_arn, AttributeName="Policy", AttributeValue=document)
    return Created("", builder.name(logical_id))


def alarm(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p.get("AlarmName", builder.name(logical_id))
    builder.client("cloudwatch").put_metric_alarm(AlarmName=name, **{k: v for k, v in p.items() if k != "AlarmName"})
    return Created("", name, {"Arn": builder.arn("cloudwatch", f"alarm:{name}")})


def delete_alarm(builder: StackBuilder, created: Created) -> None:
    builder.client("cloudwatch").delete_alarms(AlarmNames=[created.ref])


def dashboard(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name, body = p.get("DashboardName", builder.name(logical_id)), p["DashboardBody"]
    try:
        json.loads(body)
    except ValueError as error:
        raise TemplateError(f"{logical_id}: property DashboardBody is not JSON: {error}") from error
    builder.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)
    return Created("", name)


def delete_dashboard(builder: StackBuilder, created: Created) -> None:
    builder.client("cloudwatch").delete_dashboards(DashboardNames=[created.ref])


TYPES: Mapping[str, ResourceType] = {
    "AWS::Logs::LogGroup": resource_type(
        log_group,
        "LogGroupName RetentionInDays",
        {"KmsKeyId": NO_DISK, "LogGroupClass": "it affects only the price", "DataProtectionPolicy": NO_DISK, **TAGS},
        named_by="LogGroupName",
        delete=delete_log_group,
    ),
    "AWS::Logs::MetricFilter": resource_type(
        metric_filter, "FilterName FilterPattern LogGroupName MetricTransformations"
    ),
    "AWS::SNS::Topic": resource_type(
        topic,
        "TopicName Subscription",
        {"KmsMasterKeyId": NO_DISK, "DisplayName": "it is only the sender's name in a mail", **TAGS},
        named_by="TopicName",
        delete=delete_topic,
    ),
    "AWS::SNS::Subscription": resource_type(subscription, "TopicArn Protocol Endpoint"),
    "AWS::SNS::TopicPolicy": resource_type(topic_policy, "Topics PolicyDocument"),
    "AWS::CloudWatch::Alarm": resource_type(
        alarm,
        "AlarmName AlarmDescription MetricName Namespace Dimensions Statistic ExtendedStatistic Period "
        "EvaluationPeriods DatapointsToAlarm Threshold ComparisonOperator TreatMissingData Unit Metrics",
        {
            "AlarmActions": ALARM_ACTIONS,
            "OKActions": ALARM_ACTIONS,
            "InsufficientDataActions": ALARM_ACTIONS,
            "ActionsEnabled": ALARM_ACTIONS,
            **TAGS,
        },
        named_by="AlarmName",
        delete=delete_alarm,
    ),
    "AWS::CloudWatch::Dashboard": resource_type(
        dashboard, "DashboardName DashboardBody", named_by="DashboardName", delete=delete_dashboard
    ),
}
