"""Two stacks of the real template in one laptop account: neither sees the other, and what one leaves is found again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.account import TemplateError
from local.cloud import Cloud, RunningStack
from local.world import LaptopWorld
from tidemark.clock import SystemClock
from tidemark.settings import Settings

FILE = b'{"timestamp": "2026-11-21T07:00:00Z", "user_id": "u1", "status_code": 200}\n'


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The stack `tidemark`; nothing runs by schedule."""
    with Cloud(state_dir=tmp_path_factory.mktemp("state"), schedules=False, speed=60) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def other(cloud: Cloud) -> RunningStack:
    """A stack whose name begins with the first one's."""
    return cloud.add_stack("tidemark-dev")


def land(cloud: Cloud, bucket: str, key: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=FILE)


def wait(cloud: Cloud, *stacks: RunningStack) -> None:
    cloud.wait_idle(60)
    for stack in stacks:
        stack.dispatcher.wait_idle(60)


def metrics(state_dir: Path) -> list[tuple[str, str]]:
    """(metric, service) of all metric lines in a stack's logs."""
    found = []
    for path in (state_dir / "logs").glob("*.log"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if '"_aws"' in line:
                blob = json.loads(line[line.index("{") :])
                names = [metric["Name"] for metric in blob["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
                found += [(name, blob["service"]) for name in names]
    return found


def alarms_on(cloud: Cloud, metric: str, service: str) -> list[str]:
    """Names of the alarms that a metric with this dimension moves."""
    pages = cloud.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return [
        alarm["AlarmName"]
        for page in pages
        for alarm in page["MetricAlarms"]
        if (alarm["MetricName"], alarm["Dimensions"]) == (metric, [{"Name": "service", "Value": service}])
    ]


def pending(cloud: Cloud, table: str) -> int:
    items = cloud.client("dynamodb").scan(TableName=table)["Items"]
    return sum(item["pk"]["S"].startswith("PENDING#") for item in items)


def test_a_file_in_one_stacks_bucket_is_collected_by_that_stack_alone(cloud: Cloud, other: RunningStack) -> None:
    """Its ledger, its functions, its metrics; the other stack's functions have not been started."""
    land(cloud, other.deployment.resources["RawBucket"].ref, "web_logs/2026/11/21/07/a.json")
    wait(cloud, other)
    assert (pending(cloud, "tidemark-ledger"), pending(cloud, "tidemark-dev-ledger") > 0) == (0, True)
    assert ("FilesCollected", "tidemark-dev") in metrics(other.state_dir)
    assert metrics(cloud.state_dir) == []


def test_a_metric_of_one_stack_moves_that_stacks_alarm_alone(cloud: Cloud, other: RunningStack) -> None:
    """A failure of dev does not ring prod, and a sweep of dev does not keep prod's missing sweep silent."""
    other.dispatcher.invoke("Sweep", {})
    assert {service for name, service in metrics(other.state_dir) if name == "Sweeps"} == {"tidemark-dev"}
    assert alarms_on(cloud, "Sweeps", "tidemark-dev") == ["tidemark-dev-SweepSilentAlarm"]
    assert alarms_on(cloud, "Sweeps", "tidemark") == ["tidemark-SweepSilentAlarm"]


def test_a_hint_wakes_the_stack_that_sent_it_alone(cloud: Cloud, other: RunningStack) -> None:
    """Both hear all events of the account's bus; the source says whose they are."""
    heard: dict[str, list[Any]] = {"tidemark": [], "tidemark-dev": []}
    for stack in (cloud.dispatcher, other.dispatcher):
        rules = stack.bus._rules
        for source in heard:
            event = {"source": source, "detail-type": "Batch Due", "detail": {"state": "RUNNING", "batch_id": "a.b.c"}}
            heard[source] += [rule.name for rule, pattern in rules if pattern.matches(event)]
    assert heard == {"tidemark": ["tidemark-PublishHint"], "tidemark-dev": ["tidemark-dev-PublishHint"]}


@pytest.mark.parametrize("way", ["EventBridge", "Queue"])
def test_a_stack_collects_from_a_bucket_that_exists_already(cloud: Cloud, way: str) -> None:
    """Its events come from EventBridge, or from the bucket itself to the queue; no bucket of its own is made."""
    name, s3 = f"landing-{way.lower()}", cloud.client("s3")
    s3.create_bucket(Bucket=name)
    stack = cloud.add_stack(f"tidemark-{way.lower()}", {"ExistingRawBucket": name})
    queue = {"QueueArn": stack.deployment.outputs["LandedQueueArn"], "Events": ["s3:ObjectCreated:*"]}
    configuration = {"EventBridge": {"EventBridgeConfiguration": {}}, "Queue": {"QueueConfigurations": [queue]}}
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration[way])
    land(cloud, name, "web_logs/2026/11/21/07/a.json")
    wait(cloud, stack)
    assert "RawBucket" not in stack.deployment.resources
    assert pending(cloud, f"tidemark-{way.lower()}-ledger") == 1
    cloud.delete_stack(stack)
    assert s3.get_object(Bucket=name, Key="web_logs/2026/11/21/07/a.json")["Body"].read() == FILE


GROUP = "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/0a1b2c3d-0000-4000-8000-123456789012"


@pytest.mark.parametrize(
    "given", [{"ExistingWorkgroupArn": GROUP}, {"ExistingCluster": "big", "WarehouseUser": "loader"}]
)
def test_a_stack_uses_a_warehouse_that_exists_already(cloud: Cloud, given: dict[str, str]) -> None:
    """The Data API accepts the product's calls for a workgroup's ARN, and for a cluster with a user."""
    stack = cloud.add_stack("tidemark-warehouse", given, adopt=True)  # what the last one left
    try:
        text = cloud.client("ssm").get_parameter(Name="/tidemark-warehouse/settings")["Parameter"]["Value"]
        world = LaptopWorld(Settings.read(json.loads(text)), SystemClock(), cloud)
        assert world.warehouse.read("SELECT 1") == [(1,)]
        assert world.warehouse.find("load.none") is None
        assert not {"Warehouse", "WarehouseNamespace"} & set(stack.deployment.resources)
    finally:
        cloud.delete_stack(stack)


def test_a_stack_that_is_deleted_and_deployed_again_goes_on(cloud: Cloud, other: RunningStack) -> None:
    """Without adoption the names are taken; with it, the new stack has the files that the old one had collected."""
    before = pending(cloud, "tidemark-dev-ledger")
    cloud.delete_stack(other)
    kept = {"tidemark-dev-raw-123456789012-us-east-1", "tidemark-dev-control-123456789012-us-east-1"}
    assert kept <= {bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]}
    assert "tidemark_dev" in {found["Name"] for found in cloud.client("glue").get_databases()["DatabaseList"]}
    roles = {role["RoleName"] for role in cloud.client("iam").list_roles()["Roles"]}
    assert not [name for name in roles if name.startswith("tidemark-dev-")]
    with pytest.raises(TemplateError, match=r"'tidemark-dev-[a-z]+(-123456789012-us-east-1)?' already exists"):
        cloud.add_stack("tidemark-dev")
    again = cloud.add_stack("tidemark-dev", adopt=True)
    land(cloud, again.deployment.resources["RawBucket"].ref, "web_logs/2026/11/21/07/b.json")
    wait(cloud, again)
    assert before > 0
    assert pending(cloud, "tidemark-dev-ledger") > before
