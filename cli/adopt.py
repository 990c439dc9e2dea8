"""`tidemark adopt`: a new stack takes over what a deleted stack of its name has left, by CloudFormation's import.

CloudFormation imports resources into a new stack if the template has nothing else, and names them without functions
(docs/aws-facts.md#cloudformation-imports). So the stack begins with them alone, and the deployment adds the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from rich.console import Console

from cli.connection import region
from cli.render import say, say_whole
from local.stack.deploy import TYPES
from local.stack.deployment import Created
from local.stack.template import Resolver, load, references
from tidemark.core.errors import TidemarkError
from tidemark.core.stack_names import check_stack_name

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
CHANGE_SET = "adopt"
#: Resource type → the call that finds it: service, operation, parameter for the name.
LOOKUPS = {
    "AWS::S3::Bucket": ("s3", "head_bucket", "Bucket"),
    "AWS::DynamoDB::Table": ("dynamodb", "describe_table", "TableName"),
    "AWS::Glue::Database": ("glue", "get_database", "Name"),
    "AWS::RedshiftServerless::Namespace": ("redshift-serverless", "get_namespace", "namespaceName"),
}
MISSING = frozenset({"404", "NoSuchBucket", "ResourceNotFoundException", "EntityNotFoundException"})


@dataclass(frozen=True)
class Kept:
    """A resource that outlives its stack, as the next stack imports it."""

    logical_id: str
    kind: str
    name: str
    resource: Mapping[str, Any]  # with all names and references resolved

    def as_import(self) -> dict[str, Any]:
        """An entry of CreateChangeSet's ResourcesToImport."""
        identifier = {TYPES[self.kind].named_by: self.name}
        return {"ResourceType": self.kind, "LogicalResourceId": self.logical_id, "ResourceIdentifier": identifier}


def adopt(stack: str, console: Console, database: str) -> None:
    """Imports what exists of a deleted stack into a new one; raises if nothing does, or if the stack exists."""
    account = boto3.client("sts").get_caller_identity()["Account"]
    if problems := check_stack_name(stack, account, region()):
        raise TidemarkError("; ".join(problems))
    cloudformation = boto3.client("cloudformation")
    if _exists(lambda: cloudformation.describe_stacks(StackName=stack), {"ValidationError"}):
        raise TidemarkError(
            f"expected no stack {stack!r}, found one: it has its resources, and needs only `make deploy`"
        )
    given = {"LakeDatabaseName": database} if database else {}
    wanted = kept_resources(load(TEMPLATE), stack, account, region(), given)
    found = [kept for kept in wanted if _is_there(kept)]
    if not found:
        raise TidemarkError(f"expected something that a deleted stack {stack!r} has left, found nothing")
    _import(cloudformation, stack, found)
    for kept in wanted:
        say_whole(console, f"{'adopted' if kept in found else 'not there'}: {kept.kind} {kept.name}")
    say(console, "the stack has its resources again: now `make deploy`")


def kept_resources(
    template: Mapping[str, Any], stack: str, account: str, in_region: str, given: Mapping[str, str]
) -> list[Kept]:
    """The resources with state in the template. Properties that refer to other resources are left to the deployment."""
    resolver = Resolver(template, given, stack, in_region, account)
    kept: list[Kept] = []
    for logical_id, resource in template["Resources"].items():
        if not str(resource.get("DeletionPolicy", "")).startswith("Retain"):
            continue
        if "Condition" in resource and not resolver.condition(resource["Condition"], logical_id):
            continue
        others = set(template["Resources"]) - set(resolver.created)
        own = {key: value for key, value in resource["Properties"].items() if not others & set(references(value))}
        properties = resolver.resolve(own, logical_id)
        kind, policies = resource["Type"], {key: resource[key] for key in ("DeletionPolicy", "UpdateReplacePolicy")}
        name = str(properties[TYPES[kind].named_by])
        resolver.created[logical_id] = Created(kind, name)
        kept.append(Kept(logical_id, kind, name, {"Type": kind, **policies, "Properties": properties}))
    return kept


def _is_there(kept: Kept) -> bool:
    service, operation, parameter = LOOKUPS[kept.kind]
    client: Any = boto3.client(service)  # type: ignore[call-overload]
    return _exists(lambda: getattr(client, operation)(**{parameter: kept.name}), MISSING)


def _exists(ask: Callable[[], object], missing: set[str] | frozenset[str]) -> bool:
    try:
        ask()
    except ClientError as error:
        if error.response["Error"]["Code"] in missing:
            return False
        raise
    return True


def _import(cloudformation: Any, stack: str, found: list[Kept]) -> None:
    body = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {kept.logical_id: kept.resource for kept in found}}
    names = {"StackName": stack, "ChangeSetName": CHANGE_SET}
    imports = [kept.as_import() for kept in found]
    cloudformation.create_change_set(
        **names, ChangeSetType="IMPORT", TemplateBody=json.dumps(body), ResourcesToImport=imports
    )
    cloudformation.get_waiter("change_set_create_complete").wait(**names)
    cloudformation.execute_change_set(**names)
    cloudformation.get_waiter("stack_import_complete").wait(StackName=stack)
