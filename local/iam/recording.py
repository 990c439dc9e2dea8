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
    """One statement of the template that allows something, with its intrinsics resolved."""

    principal: str  #: logical id of the role or managed policy
    actions: tuple[str, ...]
    resources: tuple[str, ...]


class _Symbols(dict[str, str]):
    """Attributes of a resource that resolve to their own names: `${LakeBucket.Arn}`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, attribute: str) -> str:
        return f"${{{self._name}.{attribute}}}"


def append(uses: Iterable[Use], template: Path, deployment: Deployment, parameters: Mapping[str, str]) -> None:
    """Appends the uses to the file of TIDEMARK_PERMISSIONS; does nothing if the variable is not set."""
    target, used = os.environ.get(VARIABLE), list(uses)
    if target and used:
        written = lines(used, symbols(expand(load(template), parameters), deployment, parameters))
        with Path(target).open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in written))


def lines(uses: Iterable[Use], written: Mapping[str, str]) -> list[str]:
    """The lines of all uses, sorted; a resource without a name in the template stays as it is."""
    return sorted({f"{use.principal} {use.action} {written.get(use.pattern, use.pattern)}" for use in uses})


def symbols(expanded: Mapping[str, Any], deployment: Deployment, parameters: Mapping[str, str]) -> dict[str, str]:
    """Resource pattern of this deployment → the pattern in the template's terms."""
    resolver = Resolver(expanded, parameters, deployment.stack)
    resolver.created = dict(deployment.resources)
    pairs = zip(grants(expanded, resolver), symbolic_grants(expanded, parameters), strict=True)
    return {
        actual: symbol for one, other in pairs for actual, symbol in zip(one.resources, other.resources, strict=True)
    }


def symbolic_grants(expanded: Mapping[str, Any], parameters: Mapping[str, str] | None = None) -> list[Grant]:
    """All grants, in which a resource of the template stands as its own name: `${LakeBucket.Arn}`."""
    resolver = Resolver(expanded, parameters or {})
    for name, resource in expanded["Resources"].items():
        resolver.created[name] = Created(resource["Type"], f"${{{name}}}", _Symbols(name))
    return grants(expanded, resolver)


def grants(expanded: Mapping[str, Any], resolver: Resolver) -> list[Grant]:
    """Every statement of every role and managed policy of the expanded template whose condition holds."""
    return [
        Grant(name, tuple(listed(statement["Action"])), tuple(map(str, listed(statement["Resource"]))))
        for name, resource in expanded["Resources"].items()
        if resource["Type"] in KINDS
        if "Condition" not in resource or resolver.condition(resource["Condition"], name)
        for document in _documents(resolver.resolve(resource["Properties"], name))
        for statement in listed(document["Statement"])
    ]


def _documents(properties: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if "PolicyDocument" in properties:
        yield properties["PolicyDocument"]
    yield from (policy["PolicyDocument"] for policy in properties.get("Policies", []))
    yield from map(managed.document, properties.get("ManagedPolicyArns", []))
