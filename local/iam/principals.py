"""The callers of the laptop cloud, known by their access keys.

`AKIALOCAL` and any key of another form belong to an administrator. `AKIALOCAL<logical id>` belongs to a function of the
stack (with its role), to a role, or to a user who has one of the stack's managed policies and nothing else. Several
managed policies are joined by `+`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from local.account import ACCOUNT, TemplateError
from local.iam import managed
from local.iam.policy import PolicyError, Statement, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.stack.deployment import Deployment, Grants

PREFIX: Final = "AKIALOCAL"


@dataclass(frozen=True)
class Principal:
    """A caller whose policies decide what it may do."""

    name: str  #: logical id of its role, or of its managed policies
    role: str  #: ARN of its role; empty for a user
    arn: str  #: as AWS names the caller in a refusal
    userid: str  #: the policy variable aws:userid
    statements: tuple[Statement, ...]
    session: tuple[Statement, ...] | None = None  #: of a session policy, which narrows a role


@dataclass(frozen=True)
class Principals:
    """All callers of a deployment, by the part of their access keys after the prefix."""

    known: Mapping[str, Principal]

    @classmethod
    def of(cls, deployment: Deployment) -> Principals:
        """The deployment's functions, roles and managed policies; TemplateError for policies that are unsupported."""
        known = {one.logical_id: _principal(one) for one in deployment.grants}
        roles = {one.role: one for one in known.values() if one.role}
        for function in deployment.functions:
            if function.role_arn in roles:
                known[function.logical_id] = _in_session(roles[function.role_arn], function.name)
        return cls(known)

    def by_key(self, access_key: str) -> Principal | None:
        """The caller with this key; None for an administrator. KeyError for a key of no one."""
        name = access_key.removeprefix(PREFIX)
        if not access_key.startswith(PREFIX) or not name:
            return None
        first, *others = (self.known[part] for part in name.split("+"))
        if others and any(one.role for one in (first, *others)):
            raise KeyError(name)
        return replace(first, statements=sum((one.statements for one in others), first.statements))

    def by_role(self, role_arn: str) -> Principal:
        """The caller with this role; KeyError if the template has no such role."""
        found = next((one for one in self.known.values() if one.role and one.role == role_arn), None)
        if found is None:
            raise KeyError(role_arn)
        return found


def _principal(grants: Grants) -> Principal:
    statements = tuple(_statements(grants))
    if not grants.is_role:
        user = f"arn:aws:iam::{ACCOUNT}:user/{grants.name}"
        return Principal(grants.logical_id, "", user, grants.id, statements)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{grants.name}/local"
    return Principal(grants.logical_id, grants.arn, arn, f"{grants.id}:local", statements)


def _in_session(role: Principal, session: str) -> Principal:
    """The role as a function assumes it: the session bears the function's name."""
    arn, userid = role.arn.rpartition("/")[0], role.userid.partition(":")[0]
    return replace(role, arn=f"{arn}/{session}", userid=f"{userid}:{session}")


def _statements(grants: Grants) -> Iterator[Statement]:
    try:
        for document in (*grants.documents, *map(managed.document, grants.managed)):
            yield from (replace(one, source=grants.logical_id) for one in parse(document))
    except PolicyError as error:
        raise TemplateError(f"{grants.logical_id}: {error} by the laptop cloud") from error
