"""grant: what the warehouse's administrator does for the loader, with the secret that Redshift manages."""

from __future__ import annotations

from typing import Any

from tidemark.adapters.redshift import Warehouse
from tidemark.core.errors import TidemarkError
from tidemark.core.warehouse_grant import grant_statements


def grant(warehouse: Warehouse, serverless: Any, loader: str) -> None:
    """Lets the database user `loader` create schemas in the warehouse; may be repeated.

    `serverless` is a client of Redshift Serverless. Raises `TidemarkError` if the warehouse refuses.
    """
    admin = as_administrator(warehouse, serverless)
    for statement in grant_statements(loader, warehouse.target["Database"]):
        admin.apply("tidemark-grant", [statement])


def as_administrator(warehouse: Warehouse, serverless: Any, secret_arn: str = "") -> Warehouse:
    """Returns the warehouse, for statements of its administrator.

    `secret_arn` is for a warehouse that the stack has not made; raises `TidemarkError` if it is missing there.
    """
    if secret_arn:
        return warehouse.with_secret(secret_arn)
    if not warehouse.connection.is_of_stack:
        raise TidemarkError("the warehouse is not the stack's own: expected --secret with its administrator's secret")
    workgroup = serverless.get_workgroup(workgroupName=warehouse.target["WorkgroupName"])["workgroup"]
    namespace = serverless.get_namespace(namespaceName=workgroup["namespaceName"])["namespace"]
    secret = namespace.get("adminPasswordSecretArn")
    if not secret:
        name = namespace["namespaceName"]
        raise TidemarkError(f"expected namespace {name} to manage its administrator's password, found no secret")
    return warehouse.with_secret(secret)
