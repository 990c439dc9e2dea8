"""The resources that watch: log groups, topics, alarms and dashboards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.account import TemplateError
from local.stack.builder import Building, Properties, arn, camel, played
from local.stack.deployment import Created
from local.stack.storage_resources import NO_DISK, TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.stack.builder import ResourceType

ALARM_ACTIONS = "people are told by the console of the laptop, not by mail"


def log_group(building: Building, logical_id: str, p: Properties) -> Created:
    logs, name = building.client("logs"), p.get("LogGroupName", building.name(logical_id))
    logs.create_log_group(logGroupName=name)
    if days := p.get("RetentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    return Created("", name, {"Arn": arn("logs", f"log-group:{name}:*")})


def metric_filter(building: Building, logical_id: str, p: Properties) -> Created:
    name = p.get("FilterName", building.name(logical_id))
    transformations = [camel(transformation) for transformation in p["MetricTransformations"]]
    building.client("logs").put_metric_filter(
        logGroupName=p["LogGroupName"],
        filterName=name,
        filterPattern=p["FilterPattern"],
        metricTransformations=transformations,
    )
    return Created("", name)


def topic(building: Building, logical_id: str, p: Properties) -> Created:
    sns, name = building.client("sns"), p.get("TopicName", building.name(logical_id))
    topic_arn = sns.create_topic(Name=name)["TopicArn"]
    for subscription in p.get("Subscription", []):
        sns.subscribe(TopicArn=topic_arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
    return Created("", topic_arn, {"TopicArn": topic_arn, "TopicName": name})


def subscription(building: Building, _: str, p: Properties) -> Created:
    answer = building.client("sns").subscribe(
        TopicArn=p["TopicArn"], Protocol=p["Protocol"], Endpoint=p["Endpoint"], ReturnSubscriptionArn=True
    )
    return Created("", answer["SubscriptionArn"], {"Arn": answer["SubscriptionArn"]})


def topic_policy(building: Building, logical_id: str, p: Properties) -> Created:
    for topic_arn in p["Topics"]:
        document = json.dumps(p["PolicyDocument"])
        building.client("sns").set_topic_attributes(TopicArn=topic_arn, AttributeName="Policy", AttributeValue=document)
    return Created("", building.name(logical_id))


def alarm(building: Building, logical_id: str, p: Properties) -> Created:
    name = p.get("AlarmName", building.name(logical_id))
    building.client("cloudwatch").put_metric_alarm(AlarmName=name, **{k: v for k, v in p.items() if k != "AlarmName"})
    return Created("", name, {"Arn": arn("cloudwatch", f"alarm:{name}")})


def dashboard(building: Building, logical_id: str, p: Properties) -> Created:
    name, body = p.get("DashboardName", building.name(logical_id)), p["DashboardBody"]
    try:
        json.loads(body)
    except ValueError as error:
        raise TemplateError(f"{logical_id}: property DashboardBody is not JSON: {error}") from error
    building.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)
    return Created("", name)


TYPES: Mapping[str, ResourceType] = {
    "AWS::Logs::LogGroup": played(
        log_group,
        "LogGroupName RetentionInDays",
        {"KmsKeyId": NO_DISK, "LogGroupClass": "a price", "DataProtectionPolicy": NO_DISK, **TAGS},
    ),
    "AWS::Logs::MetricFilter": played(metric_filter, "FilterName FilterPattern LogGroupName MetricTransformations"),
    "AWS::SNS::Topic": played(
        topic,
        "TopicName Subscription",
        {"KmsMasterKeyId": NO_DISK, "DisplayName": "the sender's name in a mail", **TAGS},
    ),
    "AWS::SNS::Subscription": played(subscription, "TopicArn Protocol Endpoint"),
    "AWS::SNS::TopicPolicy": played(topic_policy, "Topics PolicyDocument"),
    "AWS::CloudWatch::Alarm": played(
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
    ),
    "AWS::CloudWatch::Dashboard": played(dashboard, "DashboardName DashboardBody"),
}
