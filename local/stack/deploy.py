"""Deploys the expanded template onto the laptop cloud, resource by resource, through public APIs.

Strict on purpose: an unsupported resource type, property or intrinsic is an error that names it. The `TYPES` of the
`…_resources` modules list the properties that the laptop cloud ignores, each with the reason why that is harmless.
"""

from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.account import STACK, TemplateError
from local.stack import api_resources, event_resources, monitoring_resources, storage_resources
from local.stack.builder import ResourceType, StackBuilder
from local.stack.deployment import Created, Deployment, FunctionSpec
from local.stack.template import Resolver, expand, load, references

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TYPES: Mapping[str, ResourceType] = {
    **storage_resources.TYPES,
    **event_resources.TYPES,
    **api_resources.TYPES,
    **monitoring_resources.TYPES,
}

#: The attributes of a resource. Those besides Type, Properties and Condition do not change what a new stack contains.
RESOURCE_ATTRIBUTES = frozenset(
    {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"}
)


def deploy(
    path: Path,
    client: Callable[[str], Any],
    *,
    parameters: Mapping[str, str] | None = None,
    stack: str = STACK,
    built: bool = False,
) -> Deployment:
    """Creates everything in the template at `path`; TemplateError for anything that is not supported.

    `client` returns a boto3 client for a service name. With `built`, the functions' code comes from the template's
    `.aws-sam/build` folder instead of their source folders.
    """
    template = expand(load(path), parameters)
    resolver = Resolver(template, parameters or {}, stack)
    builder = StackBuilder(stack=stack, root=path.parent, built=built, client=client)
    for logical_id in _order(template, resolver):
        resolver.created[logical_id] = _create(builder, resolver, logical_id, template["Resources"][logical_id])
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
    )


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


def _create(builder: StackBuilder, resolver: Resolver, logical_id: str, resource: Mapping[str, Any]) -> Created:
    kind = resource["Type"]
    if kind not in TYPES:
        raise TemplateError(f"{logical_id}: resource type {kind} is not supported by the laptop cloud")
    if unknown := sorted(resource.keys() - RESOURCE_ATTRIBUTES):
        raise TemplateError(
            f"{logical_id} ({kind}): resource attribute {unknown[0]} is not supported by the laptop cloud"
        )
    type_ = TYPES[kind]
    properties = type_.effective(logical_id, kind, resource.get("Properties", {}))
    resolved = resolver.resolve(properties, f"{logical_id} ({kind})")
    try:
        created = type_.create(builder, logical_id, resolved)
    except (BotoCoreError, ClientError) as error:
        raise TemplateError(f"{logical_id} ({kind}): {error}") from error
    except KeyError as error:
        raise TemplateError(f"{logical_id} ({kind}): property {error} is missing") from error
    return replace(created, type=kind)


def _outputs(template: Mapping[str, Any], resolver: Resolver) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (name, output)
        for name, output in template.get("Outputs", {}).items()
        if "Condition" not in output or resolver.condition(output["Condition"], f"Outputs.{name}")
    ]


def _with_invoke_config(builder: StackBuilder, spec: FunctionSpec) -> FunctionSpec:
    return replace(spec, **builder.invoke_configs.get(spec.name, {}))
