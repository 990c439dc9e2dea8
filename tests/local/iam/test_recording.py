"""The record of used permissions speaks in the template's terms."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.cloud import Cloud
from local.iam.guard import Use
from local.iam.recording import VARIABLE, append, grants, symbolic_resolver
from local.stack.template import expand, load
from tests.local.conftest import SMALL


def test_a_line_names_role_action_and_the_templates_resource(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that differ from run to run do not appear, so the file changes only with the permissions."""
    arn = cloud.deployment.resources["Table"].attributes["Arn"]
    uses = [Use("WorkRole", "sqs:SendMessage", "*"), Use("CollectRole", "dynamodb:PutItem", arn)]
    append(uses, SMALL, cloud.deployment)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv(VARIABLE, str(tmp_path / "used"))
    append(uses, SMALL, cloud.deployment)
    append(uses[:1], SMALL, cloud.deployment)
    assert (tmp_path / "used").read_text().splitlines() == [
        "CollectRole dynamodb:PutItem ${Table.Arn}",
        "WorkRole sqs:SendMessage *",
        "WorkRole sqs:SendMessage *",
    ]


def test_every_statement_of_the_expanded_template_is_a_grant() -> None:
    """Those that SAM adds and those of AWS's managed policies, too."""
    expanded = expand(load(SMALL))
    resolver = symbolic_resolver(expanded)
    found = {
        (grant.principal, grant.actions, tuple(resolver.resolve(one, "") for one in grant.resources))
        for grant in grants(expanded)
    }
    assert ("CollectRole", ("dynamodb:PutItem",), ("${Table.Arn}",)) in found
    assert ("WorkEveryRole", ("lambda:InvokeFunction",), ("${Work.Arn}",)) in found
    assert any("sqs:ReceiveMessage" in actions for role, actions, _ in found if role == "CollectRole")
