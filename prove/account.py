"""An account as a stage: a stack of its own, which nothing but the proof has used, and which goes away afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tidemark.core.errors import TidemarkError

#: A proof's stack has this in front of its name, so that no other stack is ever taken down.
PREFIX = "prove-"
_NAME = re.compile(rf"{PREFIX}[a-z0-9][a-z0-9-]{{0,20}}")

Clients = Callable[[str], Any]


def check_name(stack: str) -> None:
    """Raises `TidemarkError` unless the name is one that a proof may deploy and take down."""
    if not _NAME.fullmatch(stack):
        raise TidemarkError(
            f"expected a stack named {PREFIX}<up to 21 lower-case letters, digits and hyphens>, found {stack!r}:"
            " a proof takes its stack down, so it uses no other"
        )


def resources_of(clients: Clients, stack: str) -> list[tuple[str, str]]:
    """(type, physical id) of each resource of a stack; empty if there is no such stack."""
    client = clients("cloudformation")
    try:
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
    except client.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return []
        raise
    return [(one["ResourceType"], one["PhysicalResourceId"]) for one in summaries if one.get("PhysicalResourceId")]


def remove_retained(clients: Clients, resources: Iterable[tuple[str, str]]) -> list[str]:
    """Deletes what a deleted stack leaves behind, and returns the names. What is gone already is no error."""
    return [name for kind, name in resources if kind in REMOVERS and _is_removed(clients, REMOVERS[kind], name)]


def _is_removed(clients: Clients, remove: Callable[[Clients, str], None], name: str) -> bool:
    try:
        remove(clients, name)
    except Exception as error:
        if not _is_absent(error):
            raise
        return False
    return True


def _is_absent(error: Exception) -> bool:
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    return code in ("NoSuchBucket", "ResourceNotFoundException", "EntityNotFoundException")


def _remove_bucket(clients: Clients, name: str) -> None:
    s3 = clients("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if found:
            named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            s3.delete_objects(Bucket=name, Delete={"Objects": named, "Quiet": True})
    s3.delete_bucket(Bucket=name)


def _remove_table(clients: Clients, name: str) -> None:
    client = clients("dynamodb")
    client.update_table(TableName=name, DeletionProtectionEnabled=False)
    client.delete_table(TableName=name)


def _remove_database(clients: Clients, name: str) -> None:
    clients("glue").delete_database(Name=name)


def _remove_log_group(clients: Clients, name: str) -> None:
    clients("logs").delete_log_group(logGroupName=name)


def _remove_namespace(clients: Clients, name: str) -> None:
    clients("redshift-serverless").delete_namespace(namespaceName=name)


#: Types that the template retains, and how each is deleted. A test compares them with the template.
REMOVERS: Mapping[str, Callable[[Clients, str], None]] = {
    "AWS::S3::Bucket": _remove_bucket,
    "AWS::DynamoDB::Table": _remove_table,
    "AWS::Glue::Database": _remove_database,
    "AWS::Logs::LogGroup": _remove_log_group,
    "AWS::RedshiftServerless::Namespace": _remove_namespace,
}
