"""The record of used permissions speaks in the template's terms."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.cloud import Cloud
from local.iam.guard import Use
from local.iam.recording import VARIABLE, Grant, append, symbolic_grants
from local.stack.template import expand, load
from tests.local.conftest import SMALL


def test_a_line_names_role_action_and_the_templates_resource(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that differ from run to run do not appear, so the file changes only with the permissions."""
    arn = cloud.deployment.resources["Table"].attributes["Arn"]
    uses = [Use("WorkRole", "sqs:SendMessage", "*"), Use("CollectRole", "dynamodb:PutItem", arn)]
    append(uses, SMALL, cloud.deployment, {})
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv(VARIABLE, str(tmp_path / "used"))
    append(uses, SMALL, cloud.deployment, {})
    append(uses[:1], SMALL, cloud.deployment, {})
    assert (tmp_path / "used").read_text().splitlines() == [
        "CollectRole dynamodb:PutItem ${Table.Arn}",
        "WorkRole sqs:SendMessage *",
        "WorkRole sqs:SendMessage *",
    ]


def test_every_statement_of_the_expanded_template_is_a_grant() -> None:
    """Those that SAM adds and those of AWS's managed policies, too."""
    found = {(grant.principal, grant.actions, grant.resources) for grant in symbolic_grants(expand(load(SMALL)))}
    assert ("CollectRole", ("dynamodb:PutItem",), ("${Table.Arn}",)) in found
    assert ("WorkEveryRole", ("lambda:InvokeFunction",), ("${Work.Arn}",)) in found
    assert any("sqs:ReceiveMessage" in actions for role, actions, _ in found if role == "CollectRole")


def test_what_a_parameter_switches_off_is_no_grant() -> None:
    """A conditional statement, a conditional resource in a list, and a conditional role follow the parameters."""
    nothing = {"Ref": "AWS::NoValue"}
    more = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": [{"Fn::If": ["Wide", "arn:b", nothing]}, "arn:a"]}
    statements = [{"Fn::If": ["Wide", {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}, nothing]}, more]
    policy = {"PolicyName": "p", "PolicyDocument": {"Statement": statements}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}
    template = {
        "Parameters": {"Width": {"Type": "String", "Default": "narrow"}},
        "Conditions": {"Wide": {"Fn::Equals": [{"Ref": "Width"}, "wide"]}},
        "Resources": {"R": role, "Q": {**role, "Condition": "Wide"}},
    }
    assert symbolic_grants(template) == [Grant("R", ("s3:PutObject",), ("arn:a",))]
    wide = symbolic_grants(template, {"Width": "wide"})
    assert [(one.principal, one.resources) for one in wide] == [
        (n, r) for n in "RQ" for r in (("*",), ("arn:b", "arn:a"))
    ]
