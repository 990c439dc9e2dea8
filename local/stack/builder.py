"""The shared ground of the deployer's resource tables: the stack in the making, and strict property checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.account import ACCOUNT, REGION, TemplateError
from local.stack.deployment import Created, EventSource, FunctionSpec, RouteSpec, RuleSpec, ScheduleSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

Properties = dict[str, Any]


@dataclass
class Building:
    """A stack while it is being created; the only mutable thing in a deployment."""

    stack: str
    root: Path  #: the folder of the template
    built: bool
    client: Callable[[str], Any]
    functions: list[FunctionSpec] = field(default_factory=list)
    event_sources: list[EventSource] = field(default_factory=list)
    rules: list[RuleSpec] = field(default_factory=list)
    schedules: list[ScheduleSpec] = field(default_factory=list)
    routes: list[RouteSpec] = field(default_factory=list)
    event_buckets: set[str] = field(default_factory=set)
    invoke_configs: dict[str, dict[str, Any]] = field(default_factory=dict)  #: by function name
    layers: dict[str, Path] = field(default_factory=dict)  #: by layer ARN

    def name(self, logical_id: str) -> str:
        """The physical name of a resource that the template leaves unnamed; AWS adds random letters."""
        return f"{self.stack}-{logical_id}"


@dataclass(frozen=True)
class ResourceType:
    """How one CloudFormation type is created."""

    create: Callable[[Building, str, Properties], Created]
    honoured: frozenset[str]  #: properties that take effect
    inert: Mapping[str, str] = field(default_factory=dict)  #: property → why a laptop may ignore it

    def effective(self, logical_id: str, kind: str, properties: Mapping[str, Any]) -> Properties:
        """`properties` without the inert ones; TemplateError for one that stands in neither list."""
        for name in properties:
            if name not in self.honoured and name not in self.inert:
                raise TemplateError(f"{logical_id} ({kind}): property {name} is not played by the laptop cloud")
        return {name: value for name, value in properties.items() if name in self.honoured}


def played(
    create: Callable[[Building, str, Properties], Created], honoured: str, inert: Mapping[str, str] | None = None
) -> ResourceType:
    """A ResourceType; `honoured` lists the properties separated by blanks."""
    return ResourceType(create, frozenset(honoured.split()), inert or {})


def only(logical_id: str, path: str, properties: Mapping[str, Any], known: Iterable[str]) -> None:
    """TemplateError if the nested `properties` hold anything beyond `known`."""
    if unknown := sorted(set(properties) - set(known)):
        raise TemplateError(f"{logical_id}: property {path}.{unknown[0]} is not played by the laptop cloud")


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def subset(properties: Properties, *names: str) -> Properties:
    return {name: properties[name] for name in names if name in properties}


def as_bool(value: Any) -> bool:
    """Templates say true and "true" alike."""
    return str(value).lower() == "true"


def camel(value: Any) -> Any:
    """CloudFormation's property names as the APIs of EMR Serverless and Logs spell them."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: camel(item) for key, item in value.items()}
    return value
