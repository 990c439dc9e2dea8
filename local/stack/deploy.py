"""Deploys the expanded template onto the laptop cloud, resource by resource, through public APIs.

Strict on purpose: an unsupported resource type, property or intrinsic is an error that names it. The `TYPES` of the
`…_resources` modules list the properties that the laptop cloud ignores, each with the reason why that is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.account import REGION, STACK, TemplateError
from local.stack import api_resources, event_resources, monitoring_resources, storage_resources
from local.stack.builder import ResourceType, StackBuilder
from local.stack.deployment import Created, Deployment, FunctionSpec
from local.stack.inventory import Inventory
from local.stack.template import Resolver, expand, load, references

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TYPES: Mapping[str, ResourceType] = {
    **storage_resources.TYPES,
    **event_resources.TYPES,
    **api_resources.TYPES,
    **monitoring_resources.TYPES,
}

#: The attributes of a resource. Metadata changes nothing on a laptop.
RESOURCE_ATTRIBUTES = frozenset(
    {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"}
)


def deploy(
    path: Path,
    client: Callable[[str], Any],
    *,
    parameters: Mapping[str, str] | None = None,
    stack: str = STACK,
    region: str = REGION,
    built: bool = False,
    inventory: Inventory | None = None,
    earlier: Deployment | None = None,
    adopt: bool = False,
) -> Deployment:
    """Creates everything in the template at `path`; TemplateError for anything that is not supported.

    `client` returns a boto3 client of the region for a service name. With `built`, the functions' code comes from the
    template's `.aws-sam/build` folder instead of their source folders. `inventory` has the names that are taken in the
    account. `earlier` is the stack's last deployment: what both have is updated, what the template has no longer is
    deleted. With `adopt`, the stack takes over what a deleted stack has left under the same names, as after an import.
    If a resource cannot be created, everything created before is deleted again.
    """
    template = expand(load(path), parameters)
    resolver = Resolver(template, parameters or {}, stack, region)
    resolver.check_rules()
    builder = StackBuilder(stack=stack, root=path.parent, built=built, client=client, region=region)
    maker = _Maker(builder, resolver, inventory or Inventory(), earlier.resources if earlier else {}, adopt)
    try:
        for logical_id in _order(template, resolver):
            resolver.created[logical_id] = maker.make(logical_id, template["Resources"][logical_id])
    except TemplateError:
        maker.undo()
        raise
    maker.discard_the_rest()
    outputs = {name: resolver.resolve(out["Value"], f"Outputs.{name}") for name, out in _outputs(template, resolver)}
    return Deployment(
        stack=stack,
        resources=dict(resolver.created),
        functions=tuple(_with_invoke_config(builder, spec) for spec in builder.functions),
        event_sources=tuple(builder.event_sources),
        rules=tuple(builder.rules),
        schedules=tuple(builder.schedules),
        routes=tuple(builder.routes),
        grants=tuple(builder.grants),
        event_buckets=frozenset(builder.event_buckets),
        outputs=outputs,
        region=region,
    )


def delete(deployment: Deployment, client: Callable[[str], Any], inventory: Inventory) -> None:
    """Deletes a stack's resources, last to first, except those that outlive it; TemplateError if one cannot be."""
    builder = StackBuilder(deployment.stack, Path(), False, client, deployment.region)
    for logical_id, created in reversed(list(deployment.resources.items())):
        _discard(builder, inventory, logical_id, created, keep=_outlives(created))


@dataclass
class _Maker:
    """Creates or updates resources one by one, and remembers which are new."""

    builder: StackBuilder
    resolver: Resolver
    inventory: Inventory
    earlier: Mapping[str, Created]
    adopt: bool
    new: dict[str, Created] = field(default_factory=dict)
    adopted: list[Created] = field(default_factory=list)

    def make(self, logical_id: str, resource: Mapping[str, Any]) -> Created:
        kind = _checked_type(logical_id, resource)
        effective = TYPES[kind].effective(logical_id, kind, resource.get("Properties", {}))
        properties = self.resolver.resolve(effective, f"{logical_id} ({kind})")
        policies = [str(resource.get(policy, "Delete")) for policy in ("DeletionPolicy", "UpdateReplacePolicy")]
        name = str(properties.get(TYPES[kind].named_by, ""))
        wanted = Created(kind, "", name=name, deletion=policies[0], replacement=policies[1], properties=properties)
        before = self._before(logical_id, wanted)
        exists = self._claim(logical_id, wanted)
        self.builder.earlier, self.builder.exists = before, exists or before is not None
        created = self._create(logical_id, wanted)
        if not self.builder.exists:
            self.new[logical_id] = created
        elif before is None:
            self.adopted.append(created)
        return created

    def _before(self, logical_id: str, wanted: Created) -> Created | None:
        """The resource as the last deployment left it, unless another type or name means a new one."""
        found = self.earlier.get(logical_id)
        return found if found and (found.type, found.name) == (wanted.type, wanted.name) else None

    def _claim(self, logical_id: str, wanted: Created) -> bool:
        """Takes the resource's name for the stack; whether the resource exists already."""
        builder, adopt = self.builder, self.adopt and _outlives(wanted)
        try:
            return bool(wanted.name) and self.inventory.claim(
                wanted.type, builder.region, wanted.name, builder.stack, adopt=adopt
            )
        except TemplateError as error:
            raise TemplateError(f"{logical_id} ({wanted.type}): {error}") from error

    def _create(self, logical_id: str, wanted: Created) -> Created:
        try:
            made = _call(self.builder, logical_id, wanted)
        except TemplateError:
            if not self.builder.exists:
                self.inventory.forget(wanted.type, self.builder.region, wanted.name)
            elif self.builder.earlier is None:
                self.inventory.leave(wanted.type, self.builder.region, wanted.name)
            raise
        return replace(wanted, ref=made.ref, attributes=made.attributes)

    def undo(self) -> None:
        """Deletes what is new, except what its policy keeps even then, and leaves what was adopted."""
        for logical_id, created in reversed(self.new.items()):
            _discard(self.builder, self.inventory, logical_id, created, keep=created.deletion == "Retain")
        for created in self.adopted:
            self.inventory.leave(created.type, self.builder.region, created.name)

    def discard_the_rest(self) -> None:
        """Deletes what the last deployment had and this one has not, or has replaced."""
        for logical_id, created in reversed(list(self.earlier.items())):
            if logical_id in self.new:
                _discard(self.builder, self.inventory, logical_id, created, keep=created.replacement != "Delete")
            elif logical_id not in self.resolver.created:
                _discard(self.builder, self.inventory, logical_id, created, keep=_outlives(created))


def _outlives(created: Created) -> bool:
    """Whether the resource stays when its stack is deleted, or its template has it no longer."""
    return created.deletion != "Delete"


def _call(builder: StackBuilder, logical_id: str, wanted: Created) -> Created:
    where = f"{logical_id} ({wanted.type})"
    try:
        return TYPES[wanted.type].create(builder, logical_id, dict(wanted.properties))
    except (BotoCoreError, ClientError) as error:
        raise TemplateError(f"{where}: {error}") from error
    except KeyError as error:
        raise TemplateError(f"{where}: property {error} is missing") from error


def _discard(builder: StackBuilder, inventory: Inventory, logical_id: str, created: Created, *, keep: bool) -> None:
    if keep:
        inventory.leave(created.type, builder.region, created.name)
        return
    try:
        TYPES[created.type].delete(builder, created)
    except (BotoCoreError, ClientError) as error:
        raise TemplateError(f"{logical_id} ({created.type}): {error}") from error
    inventory.forget(created.type, builder.region, created.name)


def _order(template: Mapping[str, Any], resolver: Resolver) -> list[str]:
    """Logical ids of the resources whose condition holds, in dependency order."""
    active = {
        logical_id: resource
        for logical_id, resource in template["Resources"].items()
        if "Condition" not in resource or resolver.condition(resource["Condition"], logical_id)
    }
    needs = {name: (_needs(resource) & active.keys()) - {name} for name, resource in active.items()}
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise TemplateError(f"circular dependency: {' → '.join(error.args[1])}") from error


def _needs(resource: Mapping[str, Any]) -> set[str]:
    explicit = resource.get("DependsOn", [])
    return {*([explicit] if isinstance(explicit, str) else explicit), *references(resource.get("Properties", {}))}


def _checked_type(logical_id: str, resource: Mapping[str, Any]) -> str:
    kind = str(resource["Type"])
    if kind not in TYPES:
        raise TemplateError(f"{logical_id}: resource type {kind} is not supported by the laptop cloud")
    if unknown := sorted(resource.keys() - RESOURCE_ATTRIBUTES):
        raise TemplateError(
            f"{logical_id} ({kind}): resource attribute {unknown[0]} is not supported by the laptop cloud"
        )
    return kind


def _outputs(template: Mapping[str, Any], resolver: Resolver) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (name, output)
        for name, output in template.get("Outputs", {}).items()
        if "Condition" not in output or resolver.condition(output["Condition"], f"Outputs.{name}")
    ]


def _with_invoke_config(builder: StackBuilder, spec: FunctionSpec) -> FunctionSpec:
    return replace(spec, **builder.invoke_configs.get(spec.name, {}))
