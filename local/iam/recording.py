"""The permissions that were used, in the template's own terms: one line each, `<role> <action> <resource>`.

If TIDEMARK_PERMISSIONS names a file, every laptop cloud appends its lines to it when it stops. `make permissions`
collects them in tests/template/permissions.txt.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local.iam import managed
from local.iam.policy import listed
from local.stack.deployment import Created
from local.stack.template import Resolver, expand, load

if TYPE_CHECKING:
    from local.iam.guard import Use
    from local.stack.deployment import Deployment

VARIABLE: Final = "TIDEMARK_PERMISSIONS"
KINDS: Final = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")


@dataclass(frozen=True)
class Grant:
    """One statement of the template that allows something."""

    principal: str  #: logical id of the role or managed policy
    sid: str
    actions: tuple[str, ...]
    resources: tuple[Any, ...]  #: as the template writes them, with intrinsics


class _Symbols(dict[str, str]):
    """Attributes of a resource that resolve to their own names: `${LakeBucket.Arn}`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, attribute: str) -> str:
        return f"${{{self._name}.{attribute}}}"


def append(uses: Iterable[Use], template: Path, deployment: Deployment) -> None:
    """Appends the uses to the file of TIDEMARK_PERMISSIONS; does nothing if the variable is not set."""
    target, used = os.environ.get(VARIABLE), list(uses)
    if target and used:
        expanded = expand(load(template))
        written = lines(used, symbols(expanded, deployment))
        with Path(target).open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in written))


def lines(uses: Iterable[Use], written: Mapping[str, str]) -> list[str]:
    """The lines of all uses, sorted; a resource without a name in the template stays as it is."""
    return sorted({f"{use.principal} {use.action} {written.get(use.pattern, use.pattern)}" for use in uses})


def symbols(expanded: Mapping[str, Any], deployment: Deployment) -> dict[str, str]:
    """Resource pattern of this deployment → the pattern in the template's terms."""
    resolver, symbolic = Resolver(expanded, {}, deployment.stack), symbolic_resolver(expanded)
    resolver.created = dict(deployment.resources)
    patterns = [pattern for grant in grants(expanded) for pattern in grant.resources]
    return {str(resolver.resolve(one, "")): str(symbolic.resolve(one, "")) for one in patterns}


def symbolic_resolver(expanded: Mapping[str, Any]) -> Resolver:
    """Resolves references to resources to their own names, and everything else as for a deployment."""
    resolver = Resolver(expanded, {})
    for name, resource in expanded["Resources"].items():
        resolver.created[name] = Created(resource["Type"], f"${{{name}}}", _Symbols(name))
    return resolver


def grants(expanded: Mapping[str, Any]) -> list[Grant]:
    """Every statement of every role and managed policy of the expanded template, with the parameters' defaults."""
    resolver = Resolver(expanded, {})
    return [
        Grant(name, statement.get("Sid", ""), tuple(listed(statement["Action"])), tuple(listed(statement["Resource"])))
        for name, resource in expanded["Resources"].items()
        if resource["Type"] in KINDS
        for document in _documents(expanded, resource["Properties"])
        for each in listed(document["Statement"])
        for statement in _chosen(resolver, each)
    ]


def _chosen(resolver: Resolver, statement: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The statement itself, or the branch of its Fn::If that the conditions choose; nothing for AWS::NoValue."""
    if "Fn::If" in statement:
        condition, yes, no = statement["Fn::If"]
        yield from _chosen(resolver, yes if resolver.condition(condition, "Statement") else no)
    elif "Ref" not in statement:
        yield statement


def _documents(expanded: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if "PolicyDocument" in properties:
        yield properties["PolicyDocument"]
    yield from (policy["PolicyDocument"] for policy in properties.get("Policies", []))
    resolver = Resolver(expanded, {})
    for arn in properties.get("ManagedPolicyArns", []):
        yield managed.document(str(resolver.resolve(arn, "ManagedPolicyArns")))
