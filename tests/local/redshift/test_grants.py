"""A role's user may create schemas once the administrator has granted it that."""

from __future__ import annotations

from typing import Any

import pytest

from local.redshift.data_api import RedshiftDataApp
from local.redshift.grants import ADMIN, CreateUser, GrantCreate, administration, user_of
from tests.local.redshift.conftest import run
from tests.local.stand_ins import client, served

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:redshift!tidemark-admin-local0"
LOADER = "IAMR:loader"
GRANT = [f'CREATE USER "{LOADER}" PASSWORD DISABLE', f'GRANT CREATE ON DATABASE "dev" TO "{LOADER}"']


@pytest.fixture
def loader(app: RedshiftDataApp) -> Any:
    """A client that signs as the role `loader`."""
    with served(app) as url:
        yield client("redshift-data", url, aws_access_key_id="AKIALOCALloader")


def error_of(redshift: Any, *sqls: str, **more: Any) -> str:
    return str(run(redshift, *sqls, **more).get("Error", ""))


def test_a_role_without_the_grant_creates_no_schema(loader: Any) -> None:
    """In Redshift's words; it may create tables where everybody may."""
    assert error_of(loader, "CREATE SCHEMA IF NOT EXISTS tidemark") == "ERROR: permission denied for database dev"
    assert error_of(loader, "CREATE TABLE t (a INT)") == ""


def test_the_administrator_grants_it_with_the_secret(loader: Any) -> None:
    """Each statement by itself: the role has connected before, so its user exists."""
    run(loader, "SELECT 1")
    assert error_of(loader, GRANT[0], SecretArn=SECRET) == f'ERROR: user "{LOADER}" already exists'
    assert error_of(loader, GRANT[1], SecretArn=SECRET) == ""
    assert error_of(loader, "CREATE SCHEMA tidemark") == ""


def test_nobody_else_administers(loader: Any) -> None:
    """A role can neither grant itself the right, nor act as another user."""
    assert error_of(loader, GRANT[0]) == "ERROR: permission denied to create user"
    assert error_of(loader, GRANT[1]) == "ERROR: permission denied for database dev"
    assert "permission denied to set session authorization" in error_of(loader, f"SET SESSION AUTHORIZATION '{ADMIN}'")


def test_the_administrator_acts_as_the_loader(loader: Any) -> None:
    """For one transaction, with the loader's rights and no others."""
    run(loader, "SELECT 1")
    acting = f"SET SESSION AUTHORIZATION '{LOADER}'"
    assert "permission denied for database dev" in error_of(loader, acting, "CREATE SCHEMA s", SecretArn=SECRET)
    run(loader, GRANT[1], SecretArn=SECRET)
    assert error_of(loader, acting, "CREATE SCHEMA s", SecretArn=SECRET) == ""
    assert "does not exist" in error_of(loader, "SET SESSION AUTHORIZATION 'IAMR:nobody'", SecretArn=SECRET)


@pytest.mark.parametrize(
    ("caller", "secret", "user"),
    [
        ("arn:aws:sts::123456789012:assumed-role/loader/local", None, "IAMR:loader"),
        ("arn:aws:sts::123456789012:assumed-role/loader/local", SECRET, ADMIN),
        ("arn:aws:iam::123456789012:user/local", None, ADMIN),
    ],
)
def test_the_signer_or_the_secret_is_the_user(caller: str, secret: str | None, user: str) -> None:
    """The person at the laptop is an administrator."""
    assert user_of(caller, secret) == user


def test_other_grants_are_not_understood_here() -> None:
    """They are left to the rule that grants mean nothing on a laptop."""
    assert administration("GRANT SELECT ON t TO PUBLIC") is None
    assert administration(GRANT[0]) == CreateUser(LOADER)
    assert administration(GRANT[1]) == GrantCreate("dev", LOADER)
