"""What the administrator does for the loader."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tidemark.adapters.redshift import Connection, Warehouse
from tidemark.core.errors import TidemarkError
from tidemark.service.grant import grant

LOADER = "IAMR:tidemark-loader"


class Redshift:
    """The Data API and Redshift Serverless: remembers statements, and answers each with the next error."""

    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def __init__(self, *errors: str, secret: str | None = "arn:secret") -> None:
        self.errors, self.secret = list(errors), secret
        self.asked: list[tuple[str, Any]] = []

    def get_workgroup(self, workgroupName: str) -> Any:  # noqa: N803
        return {"workgroup": {"namespaceName": f"{workgroupName}-namespace"}}

    def get_namespace(self, namespaceName: str) -> Any:  # noqa: N803
        found = {"adminPasswordSecretArn": self.secret} if self.secret else {}
        return {"namespace": {"namespaceName": namespaceName, **found}}

    def batch_execute_statement(self, Sqls: list[str], SecretArn: str = "", **_: Any) -> Any:  # noqa: N803
        self.asked.append((SecretArn, Sqls))
        return {"Id": "s"}

    def describe_statement(self, Id: str) -> Any:  # noqa: N803
        error = self.errors.pop(0) if self.errors else ""
        return {"Status": "FAILED" if error else "FINISHED", "Error": error}


def granted(redshift: Redshift) -> list[tuple[str, Any]]:
    warehouse = Warehouse(redshift, Connection("dev", "group"), "tide")
    grant(warehouse, redshift, LOADER)
    assert "SecretArn" not in warehouse.target
    return redshift.asked


@pytest.mark.parametrize("errors", [(), (f'ERROR: user "{LOADER}" already exists',)], ids=["first", "again"])
def test_the_grant_is_made_with_the_namespaces_own_secret(errors: tuple[str, ...]) -> None:
    """A user that exists is no error, so every deployment may repeat it."""
    asked = granted(Redshift(*errors))
    assert asked == [
        ("arn:secret", [f'CREATE USER "{LOADER}" PASSWORD DISABLE']),
        ("arn:secret", [f'GRANT CREATE ON DATABASE "dev" TO "{LOADER}"']),
    ]


def test_a_refused_grant_is_told() -> None:
    """The warehouse's own words."""
    with pytest.raises(TidemarkError, match="the warehouse refused tidemark-grant: ERROR: permission denied"):
        granted(Redshift("", "ERROR: permission denied for database dev"))


def test_a_namespace_without_a_secret_is_named() -> None:
    """Its administrator's password is managed by a person, who must make the grant."""
    with pytest.raises(TidemarkError, match="expected namespace group-namespace to manage its"):
        granted(Redshift(secret=None))
