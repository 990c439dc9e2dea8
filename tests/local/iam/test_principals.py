"""Access keys name their callers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.account import TemplateError
from local.iam.principals import Principals
from local.stack.deployment import Deployment, FunctionSpec, Grants

ROLE = "arn:aws:iam::123456789012:role/t-Loader"
PLAN = FunctionSpec("Load", "t-load", "arn:f", "x.y", Path(), {}, 3, 128, ROLE)


def document(action: str, **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"} | more]}


def principals(*policies: dict[str, Any]) -> Principals:
    role = Grants(
        "LoaderRole", "t-Loader", ROLE, "AROA1", is_role=True, documents=policies or (document("s3:GetObject"),)
    )
    users = (
        Grants(name, f"t-{name}", f"arn:{name}", f"ANPA{name}", is_role=False, documents=(document(action),))
        for name, action in (("Reader", "s3:ListBucket"), ("Operator", "s3:PutObject"))
    )
    return Principals.of(Deployment("t", {}, functions=(PLAN,), grants=(role, *users)))


def test_a_function_calls_in_a_session_of_its_role() -> None:
    """The session bears the function's name, in the ARN and in the user id; the role is recorded as the principal."""
    load = principals().by_key("AKIALOCALLoad")
    assert load
    assert (load.name, load.userid) == ("LoaderRole", "AROA1:t-load")
    assert load.arn == "arn:aws:sts::123456789012:assumed-role/t-Loader/t-load"
    assert principals().by_role(ROLE).arn == "arn:aws:sts::123456789012:assumed-role/t-Loader/local"


def test_a_user_may_have_several_managed_policies() -> None:
    """Joined by `+`; each statement remembers whose it is."""
    user = principals().by_key("AKIALOCALReader+Operator")
    assert user
    assert [(one.source, one.actions) for one in user.statements] == [
        ("Reader", ("s3:ListBucket",)),
        ("Operator", ("s3:PutObject",)),
    ]


@pytest.mark.parametrize("key", ["AKIALOCAL", "local", "AKIAIOSFODNN7EXAMPLE"])
def test_any_other_key_is_an_administrators(key: str) -> None:
    """A laptop's own AWS keys work as well as those of the documentation."""
    assert principals().by_key(key) is None


@pytest.mark.parametrize("key", ["AKIALOCALNobody", "AKIALOCALReader+Nobody", "AKIALOCALReader+LoaderRole"])
def test_a_key_of_no_one_is_no_administrators(key: str) -> None:
    """A misspelt name must not get all rights."""
    with pytest.raises(KeyError):
        principals().by_key(key)


def test_a_policy_that_cannot_be_evaluated_stops_the_deployment() -> None:
    """The error names the role and what is not supported."""
    unknown = document("s3:GetObject", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    with pytest.raises(TemplateError, match="LoaderRole: condition operator Bool is not supported by the laptop cloud"):
        principals(unknown)
