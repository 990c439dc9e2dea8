"""What the parameters choose: networks, keys, and what exists already. Each choice is resolved as on AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from local.account import TemplateError
from local.stack.deployment import Created
from local.stack.template import Resolver, expand, load
from tidemark.core.capacity import runs_that_fit
from tidemark.settings import OPTIONAL, Settings

Json = Any
DEPLOYED = expand(load(Path(__file__).resolve().parents[2] / "template.yaml"))
GROUP = "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/0a1b2c3d-0000-4000-8000-123456789012"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:loader"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b"
CLUSTER = "arn:aws:redshift:us-east-1:123456789012"
NETWORK = {"SubnetIds": "subnet-1,subnet-2,subnet-3", "SecurityGroupIds": "sg-1"}
#: Each choice by its name; the first one is the newcomer's.
CHOICES: dict[str, dict[str, str]] = {
    "nothing": {},
    "network": NETWORK,
    "bucket": {"ExistingRawBucket": "landing"},
    "spark": {"ExistingSparkApplication": "00fabc"},
    "workgroup": {"ExistingWorkgroupArn": GROUP, "WarehouseDatabase": "sales"},
    "workgroup with secret": {"ExistingWorkgroupArn": GROUP, "WarehouseSecretArn": SECRET},
    "cluster": {"ExistingCluster": "big"},
    "cluster with user": {"ExistingCluster": "big", "WarehouseUser": "loader"},
    "cluster with secret": {"ExistingCluster": "big", "WarehouseSecretArn": SECRET},
    "key": {"KmsKeyArn": KEY},
    "everything": {
        **NETWORK, "ExistingRawBucket": "landing", "ExistingSparkApplication": "00fabc", "ExistingCluster": "big",
        "WarehouseUser": "loader", "KmsKeyArn": KEY,
    },
}  # fmt: skip


class AnyAttribute(dict[str, str]):
    """The attributes of a resource that exists: each has its name as its value."""

    def __init__(self, logical_id: str) -> None:
        self.logical_id = logical_id

    def __contains__(self, _: object) -> bool:
        return True

    def __getitem__(self, name: str) -> str:
        return f"<{self.logical_id}.{name}>"


def resolved(choice: Mapping[str, str]) -> dict[str, Json]:
    """All resources that are created, resolved; a reference to one that is not created raises TemplateError."""
    resolver = Resolver(DEPLOYED, choice)
    active = {
        name: resource
        for name, resource in DEPLOYED["Resources"].items()
        if "Condition" not in resource or resolver.condition(resource["Condition"], name)
    }
    for name, resource in active.items():
        resolver.created[name] = Created(resource["Type"], f"<{name}>", AnyAttribute(name))
    for name, output in DEPLOYED["Outputs"].items():
        resolver.resolve(output["Value"], name)
    return {name: resolver.resolve(resource.get("Properties", {}), name) for name, resource in active.items()}


def statement(resources: Mapping[str, Json], role: str, sid: str) -> Json:
    """A permission by its name; None if the role has none of this name."""
    documents = [policy["PolicyDocument"] for policy in resources[role]["Policies"]]
    return next((one for document in documents for one in document["Statement"] if one.get("Sid") == sid), None)


def environment(resources: Mapping[str, Json]) -> dict[str, str]:
    return dict(resources["Load"]["Environment"]["Variables"])


@pytest.mark.parametrize("choice", CHOICES)
def test_nothing_refers_to_what_a_choice_leaves_out(choice: str) -> None:
    """Policies, patterns, settings and outputs name what exists instead."""
    left_out = {
        "RawBucket": "ExistingRawBucket" in CHOICES[choice],
        "RawBucketPolicy": "ExistingRawBucket" in CHOICES[choice],
        "SparkApplication": "ExistingSparkApplication" in CHOICES[choice],
        "Warehouse": "ExistingWorkgroupArn" in CHOICES[choice] or "ExistingCluster" in CHOICES[choice],
        "WarehouseNamespace": "ExistingWorkgroupArn" in CHOICES[choice] or "ExistingCluster" in CHOICES[choice],
    }
    created = set(resolved(CHOICES[choice]))
    assert {name for name in left_out if name not in created} == {name for name, is_out in left_out.items() if is_out}


@pytest.mark.parametrize("choice", CHOICES)
def test_the_command_line_knows_what_the_functions_know(choice: str) -> None:
    """The settings parameter and the environment make the same `Settings`."""
    resources = resolved(CHOICES[choice])
    from_parameter = json.loads(resources["SettingsParameter"]["Value"])
    names = [entry.name.upper() for entry in fields(Settings)]
    variables = {name: str(environment(resources)[name]) for name in names}
    assert variables == {name: from_parameter[name] for name in names}
    assert {name.lower() for name, value in variables.items() if not value} <= OPTIONAL


def test_an_existing_bucket_is_read_listened_to_and_may_send_to_the_queue() -> None:
    """With EventBridge, the rule hears it; without, the bucket itself may send, and only this one."""
    resources = resolved(CHOICES["bucket"])
    assert environment(resources)["RAW_BUCKET"] == "landing"
    assert resources["LandedRule"]["EventPattern"]["detail"] == {"bucket": {"name": ["landing"]}}
    assert statement(resources, "JobRole", "ReadRawFiles")["Resource"] == "arn:aws:s3:::landing/*"
    assert statement(resources, "ReconcileRole", "ListRawFiles")["Resource"] == "arn:aws:s3:::landing"
    policy = resources["LandedQueuePolicy"]["PolicyDocument"]["Statement"]
    (bucket,) = [one for one in policy if one["Sid"] == "TheBucketDelivers"]
    assert bucket["Principal"] == {"Service": "s3.amazonaws.com"}
    assert bucket["Condition"] == {
        "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::landing"},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }
    own = resolved({})["LandedQueuePolicy"]["PolicyDocument"]["Statement"]
    assert "TheBucketDelivers" not in [one["Sid"] for one in own]


def test_an_existing_application_runs_the_jobs() -> None:
    """Its runs' ends wake publish, and submit may start runs in it alone."""
    resources = resolved(CHOICES["spark"])
    application = "arn:aws:emr-serverless:us-east-1:123456789012:/applications/00fabc"
    assert environment(resources)["SPARK_APPLICATION_ID"] == "00fabc"
    assert resources["PublishRunEnded"]["EventPattern"]["detail"]["applicationId"] == ["00fabc"]
    assert statement(resources, "SubmitRole", "StartRuns")["Resource"] == application
    assert statement(resources, "PublishRole", "AskRuns")["Resource"] == f"{application}/jobruns/*"


@pytest.mark.parametrize(
    ("choice", "settings", "issues", "signs_in", "secret"),
    [
        ("nothing", ("<Warehouse>", "", "", ""), "<Warehouse.Workgroup.WorkgroupArn>", None, None),
        ("workgroup", (GROUP, "", "", ""), GROUP, None, None),
        ("workgroup with secret", (GROUP, "", "", SECRET), GROUP, None, SECRET),
        ("cluster", ("", "big", "", ""), f"{CLUSTER}:cluster:big", [f"{CLUSTER}:dbname:big/warehouse"], None),
        ("cluster with user", ("", "big", "loader", ""), f"{CLUSTER}:cluster:big",
         [f"{CLUSTER}:dbname:big/warehouse", f"{CLUSTER}:dbuser:big/loader"], None),
        ("cluster with secret", ("", "big", "", SECRET), f"{CLUSTER}:cluster:big",
         [f"{CLUSTER}:dbname:big/warehouse"], SECRET),
    ],
)  # fmt: skip
def test_a_warehouse_is_named_and_signed_in_to_in_every_form(
    choice: str, settings: tuple[str, ...], issues: str, signs_in: list[str] | None, secret: str | None
) -> None:
    """Workgroup or cluster; the role's own user, a cluster's, or a secret's. Each permission is for its form alone."""
    resources = resolved(CHOICES[choice])
    variables = environment(resources)
    names = ("WAREHOUSE_WORKGROUP", "WAREHOUSE_CLUSTER", "WAREHOUSE_USER", "WAREHOUSE_SECRET_ARN")
    assert tuple(variables[name] for name in names) == settings
    assert statement(resources, "LoaderRole", "IssueStatements")["Resource"] == issues
    sign_in = statement(resources, "LoaderRole", "SignInToTheCluster")
    assert (sign_in and sign_in["Resource"]) == signs_in
    with_secret = statement(resources, "LoaderRole", "SignInWithTheSecret")
    assert (with_secret and with_secret["Resource"]) == secret


def test_subnets_are_those_of_warehouse_and_jobs() -> None:
    """Without them, Redshift takes the default VPC, and jobs none."""
    given, none = resolved(NETWORK), resolved({})
    subnets = {"SubnetIds": ["subnet-1", "subnet-2", "subnet-3"], "SecurityGroupIds": ["sg-1"]}
    assert given["SparkApplication"]["NetworkConfiguration"] == subnets
    assert {key: given["Warehouse"][key] for key in subnets} == subnets
    assert "NetworkConfiguration" not in none["SparkApplication"]
    assert not set(subnets) & set(none["Warehouse"])


def test_functions_are_in_the_subnets_only_on_request() -> None:
    """They call AWS's own endpoints, which a subnet needs a way to."""
    wanted = resolved({**NETWORK, "FunctionsInSubnets": "true"})
    subnets = {"SubnetIds": ["subnet-1", "subnet-2", "subnet-3"], "SecurityGroupIds": ["sg-1"]}
    for name in ("Collect", "Plan", "Submit", "Load", "Predict"):
        assert wanted[name]["VpcConfig"] == subnets
        assert "VpcConfig" not in resolved(NETWORK)[name]


def test_a_key_encrypts_whatever_is_kept() -> None:
    """Buckets, ledger and warehouse; without one, each service's own key does."""
    given, none = resolved(CHOICES["key"]), resolved({})
    for name in ("RawBucket", "ControlBucket", "LakeBucket"):
        (rule,) = given[name]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
        assert rule == {"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": by_default}
        (rule,) = none[name]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert given["LedgerTable"]["SSESpecification"]["KMSMasterKeyId"] == given["WarehouseNamespace"]["KmsKeyId"] == KEY
    assert "SSESpecification" not in none["LedgerTable"]
    assert "KmsKeyId" not in none["WarehouseNamespace"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"SubnetIds": "subnet-1"}, "SubnetIds and SecurityGroupIds belong together"),
        ({"SecurityGroupIds": "sg-1"}, "SubnetIds and SecurityGroupIds belong together"),
        ({"FunctionsInSubnets": "true"}, "FunctionsInSubnets needs subnets"),
        ({"ExistingWorkgroupArn": GROUP, "ExistingCluster": "big"}, "are two warehouses"),
        ({"WarehouseUser": "loader"}, "WarehouseUser is a user of a provisioned cluster"),
        (
            {"ExistingWorkgroupArn": GROUP, "WarehouseUser": "loader"},
            "WarehouseUser is a user of a provisioned cluster",
        ),
        ({"ExistingCluster": "big", "WarehouseUser": "u", "WarehouseSecretArn": SECRET}, "Leave out WarehouseUser"),
        ({"WarehouseSecretArn": SECRET}, "WarehouseSecretArn is for an existing warehouse"),
    ],
)
def test_what_cannot_be_together_is_refused_before_anything_is_created(given: dict[str, str], message: str) -> None:
    """In one sentence that says what to do."""
    with pytest.raises(TemplateError, match=message):
        Resolver(DEPLOYED, given).check_rules()


@pytest.mark.parametrize("choice", CHOICES)
def test_what_can_be_together_is_not_refused(choice: str) -> None:
    """No rule stands in the way of a choice above."""
    Resolver(DEPLOYED, CHOICES[choice]).check_rules()


@pytest.mark.parametrize(
    "given",
    [
        {"SparkCpu": "1 vCPU"}, {"SparkCpu": "16"}, {"SparkCpu": "16vCPU"}, {"SparkMemory": "7 GB"},
        {"SparkDisk": "39 GB"}, {"ExistingRawBucket": "Landing"}, {"ExistingWorkgroupArn": "tidemark"},
        {"ExistingCluster": "arn:aws:redshift:x"}, {"WarehouseSecretArn": "loader"}, {"KmsKeyArn": "alias/x"},
    ],
)  # fmt: skip
def test_a_parameter_in_another_form_is_refused(given: dict[str, str]) -> None:
    """A name where an ARN is expected, a size without its unit, a capacity without room for one run."""
    with pytest.raises(TemplateError, match="does not match"):
        Resolver(DEPLOYED, given)


def test_the_least_capacity_that_the_parameters_allow_is_one_run() -> None:
    """And everything below is refused, so that no stack can be deployed in which no batch ever starts."""
    names = ("SparkCpu", "SparkMemory", "SparkDisk")
    patterns = {name: DEPLOYED["Parameters"][name]["AllowedPattern"] for name in names}
    units = {"SparkCpu": "vCPU", "SparkMemory": "GB", "SparkDisk": "GB"}
    least = {
        name: next(f"{n} {units[name]}" for n in range(1, 100) if re.search(patterns[name], f"{n} {units[name]}"))
        for name in names
    }
    assert runs_that_fit(*least.values()) == 1
    for name in names:
        smaller = {**least, name: f"{int(least[name].split()[0]) - 1} {units[name]}"}
        assert runs_that_fit(*smaller.values()) == 0, name
