"""The managed policies have AWS's text."""

from __future__ import annotations

import json

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from local.iam.managed import ACTIONS, PREFIX, document
from local.iam.policy import PolicyError


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_managed_policy_allows_what_it_allows_on_aws(name: str) -> None:
    """moto brings a copy of all of AWS's policies along."""
    original = json.loads(aws_managed_policies_data)[name]["Document"]["Statement"]
    [statement] = document(PREFIX + name)["Statement"]
    assert [(one["Effect"], sorted(one["Action"]), one["Resource"]) for one in original] == [
        (statement["Effect"], sorted(statement["Action"]), statement["Resource"])
    ]


def test_another_managed_policy_is_an_error() -> None:
    """It is named, so that nobody believes it empty."""
    with pytest.raises(PolicyError, match="arn:aws:iam::aws:policy/AdministratorAccess is not known"):
        document("arn:aws:iam::aws:policy/AdministratorAccess")
