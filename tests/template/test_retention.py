"""What outlives its stack, what would be replaced, and under which names the resources exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cfnlint.data.AdditionalSpecs
import pytest
from cfnlint.helpers import load_resource
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from local.account import ACCOUNT, REGION
from local.stack.template import Resolver, expand, load, references
from tidemark.core.stack_names import NAME_RULES

Json = Any
TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
DEPLOYED = expand(load(TEMPLATE))
RESOURCES: dict[str, Json] = DEPLOYED["Resources"]

KEPT = "kept"
#: Resource type → KEPT, or why it may be deleted or replaced with whatever it holds.
STATE = {
    "AWS::S3::Bucket": KEPT,
    "AWS::DynamoDB::Table": KEPT,
    "AWS::Glue::Database": KEPT,
    "AWS::RedshiftServerless::Namespace": KEPT,
    "AWS::RedshiftServerless::Workgroup": "it computes; the namespace has the tables, users and the secret",
    "AWS::EMRServerless::Application": "its runs' results are in the lake bucket, its runs' ids in the ledger",
    "AWS::SQS::Queue": "messages are hints: reconcile finds files whose events are lost",
    "AWS::Logs::LogGroup": "logs end after LogRetentionDays in any case; the ledger has the history",
    "AWS::SSM::Parameter": "the template has all of its text",
    "AWS::SNS::Topic": "it keeps nothing but the subscription of AlarmEmail, which is confirmed again",
    "AWS::CloudWatch::Alarm": "its state follows from metrics, which CloudWatch keeps",
    "AWS::Lambda::Function": "the repository has its code",
    "AWS::Lambda::LayerVersion": "the repository has its code",
    "AWS::Lambda::EventSourceMapping": "a new one reads its source from the start; repetitions change nothing",
    "AWS::Lambda::EventInvokeConfig": "settings only",
    "AWS::Lambda::Permission": "settings only",
    "AWS::Events::Rule": "settings only",
    "AWS::Scheduler::Schedule": "settings only",
    "AWS::IAM::ManagedPolicy": "settings only; who had it is given it again, by hand",
    "AWS::IAM::Role": "settings only; the loader's is created with the same name, which its database user has",
    "AWS::S3::BucketPolicy": "settings only",
    "AWS::SQS::QueuePolicy": "settings only",
    "AWS::ApiGatewayV2::Api": "settings only; a new one has another address, which the settings have",
    "AWS::ApiGatewayV2::Stage": "settings only",
}
#: The create-only properties that the template sets on kept resources, and the parameters that their values depend on.
#: A change of one replaces the resource by an empty one, and leaves the old one behind.
REPLACES = {
    ("RawBucket", "BucketName"): set(),
    ("ControlBucket", "BucketName"): set(),
    ("LakeBucket", "BucketName"): set(),
    ("LedgerTable", "TableName"): set(),
    ("LedgerTable", "KeySchema"): set(),
    ("LakeDatabase", "DatabaseName"): {"LakeDatabaseName"},
    ("WarehouseNamespace", "NamespaceName"): set(),
}
CONSTANT = {"AWS::StackName", "AWS::AccountId", "AWS::Region"}  # of a stack


def schema(kind: str) -> Json:
    """CloudFormation's schema of a resource type, as cfn-lint carries it."""
    return PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema


def create_only(kind: str) -> set[str]:
    """The top-level properties whose change replaces a resource, always or under conditions."""
    found = schema(kind)
    paths = [*found.get("createOnlyProperties", []), *found.get("conditionalCreateOnlyProperties", [])]
    return {path.split("/")[2] for path in paths}


def kept() -> dict[str, Json]:
    return {name: resource for name, resource in RESOURCES.items() if STATE[resource["Type"]] == KEPT}


def depends_on(node: Json) -> set[str]:
    """The parameters that a value depends on, those of its conditions included."""
    text = json.dumps(node)
    of_conditions = [tree for name, tree in DEPLOYED["Conditions"].items() if f'"{name}"' in text]
    return {name for tree in [node, *of_conditions] for name in references(tree)} - CONSTANT


def test_it_is_known_of_every_resource_type_whether_it_has_state() -> None:
    """A new type needs a line in the table before it can be deployed."""
    assert {resource["Type"] for resource in RESOURCES.values()} - set(STATE) == set()


def test_the_table_knows_every_type_that_cfn_lint_counts_as_stateful() -> None:
    """Each is kept, or has a reason; so a second opinion has found nothing more."""
    stateful = load_resource(cfnlint.data.AdditionalSpecs, "StatefulResources.json")["ResourceTypes"]
    used = {resource["Type"] for resource in RESOURCES.values()} & set(stateful)
    assert used == {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}


@pytest.mark.parametrize("name", sorted(kept()))
def test_what_has_state_outlives_its_stack_and_its_replacement(name: str) -> None:
    """Only a creation that fails is undone, or the next try would find the name taken."""
    resource = RESOURCES[name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_what_has_no_state_is_deleted_with_its_stack() -> None:
    """Leftovers cost money and take names."""
    policies = {name: resource.get("DeletionPolicy", "Delete") for name, resource in RESOURCES.items()}
    assert {name for name, policy in policies.items() if policy != "Delete"} == set(kept())


def test_every_change_that_would_replace_a_kept_resource_is_known() -> None:
    """Its create-only properties are constant in a stack, but for the database's name, which is a parameter."""
    found = {
        (name, key): depends_on(resource["Properties"][key])
        for name, resource in kept().items()
        for key in create_only(resource["Type"]) & set(resource["Properties"])
    }
    assert found == REPLACES


@pytest.mark.parametrize("name", sorted(kept()))
def test_what_is_kept_can_be_imported_into_the_next_stack(name: str) -> None:
    """CloudFormation imports types that it can read, by the property that identifies them, which is a fixed name."""
    resource = RESOURCES[name]
    found = schema(resource["Type"])
    (identifier,) = found["primaryIdentifier"]
    assert identifier.split("/")[2] in resource["Properties"]
    assert "read" in found["handlers"]


@pytest.mark.parametrize(
    ("stack", "given", "name"),
    [
        ("tidemark", {}, "tidemark"),
        ("tidemark-eu-prod", {}, "tidemark_eu_prod"),
        ("tidemark", {"LakeDatabaseName": "sales_2"}, "sales_2"),
    ],
)
def test_every_stack_has_a_database_of_its_own_name(stack: str, given: dict[str, str], name: str) -> None:
    """With underscores, because SQL would want quotes around hyphens."""
    properties = RESOURCES["LakeDatabase"]["Properties"]
    resolver = Resolver(DEPLOYED, given, stack)
    for key in (properties["DatabaseName"], properties["DatabaseInput"]["Name"]):
        assert resolver.resolve(key, "here") == name


def test_the_names_that_are_checked_before_a_deployment_are_those_of_the_template() -> None:
    """The check would else pass a stack whose names AWS refuses in the middle."""
    resolver = Resolver(DEPLOYED, {}, "tide")
    resolver.created.clear()
    written = {
        resolver.resolve(value, name)
        for name, resource in RESOURCES.items()
        for key, value in resource.get("Properties", {}).items()
        if key.endswith("Name") and "AWS::StackName" in json.dumps(value) and name != "LakeDatabase"
        if key in create_only(resource["Type"]) | {"Name"}
    }
    checked = {rule.form.format(stack="tide", account=ACCOUNT, region=REGION) for rule in NAME_RULES}
    assert written == checked


def test_the_limits_are_those_of_cloudformations_schemas() -> None:
    """Where a schema has one; the longest name of each kind is its rule's."""
    kinds = {
        "S3 bucket": ("AWS::S3::Bucket", "BucketName"),
        "IAM role": ("AWS::IAM::Role", "RoleName"),
        "Redshift workgroup": ("AWS::RedshiftServerless::Workgroup", "NamespaceName"),
        "EMR Serverless application": ("AWS::EMRServerless::Application", "Name"),
        "schedule": ("AWS::Scheduler::Schedule", "Name"),
        "log group": ("AWS::Logs::LogGroup", "LogGroupName"),
    }
    known = {what: schema(kind)["properties"][key]["maxLength"] for what, (kind, key) in kinds.items()}
    assert {rule.what: rule.longest for rule in NAME_RULES if rule.what in known} == known
