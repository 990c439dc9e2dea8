"""The names that an account's resources have, and the stacks that they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.account import TemplateError

#: Types whose names are unique beyond a region: buckets in the world, roles in the account.
EVERYWHERE = frozenset({"AWS::S3::Bucket", "AWS::IAM::Role"})
LEFT = ""  #: the owner of what a deleted stack has left


@dataclass
class Inventory:
    """Refuses a name that is taken, as CloudFormation does before it creates a resource."""

    owners: dict[tuple[str, str, str], str] = field(default_factory=dict)  #: (type, region, name) → stack and region

    def claim(self, kind: str, region: str, name: str, stack: str, *, adopt: bool) -> bool:
        """Gives the name to the stack; whether the resource exists already.

        A resource exists already if the stack is updated, or if it adopts what a deleted stack has left. Raises
        TemplateError if the name is taken in any other way.
        """
        key, owner = _key(kind, region, name), f"{stack} in {region}"
        known = self.owners.get(key)
        if known not in (None, owner, *([LEFT] if adopt else [])):
            raise TemplateError(f"Resource of type '{kind}' with identifier '{name}' already exists.")
        self.owners[key] = owner
        return known is not None

    def leave(self, kind: str, region: str, name: str) -> None:
        """Records that a resource has outlived its stack."""
        self.owners[_key(kind, region, name)] = LEFT

    def forget(self, kind: str, region: str, name: str) -> None:
        """Frees the name of a deleted resource."""
        self.owners.pop(_key(kind, region, name), None)


def _key(kind: str, region: str, name: str) -> tuple[str, str, str]:
    return kind, "" if kind in EVERYWHERE else region, name
