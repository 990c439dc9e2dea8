"""What all resource modules share: the stack under construction, and strict property checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.account import ACCOUNT, REGION, TemplateError
from local.stack.deployment import Created, EventSource, FunctionSpec, Grants, RouteSpec, RuleSpec, ScheduleSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

Properties = dict[str, Any]
NAME_CHARACTERS_MAX = 64  #: the least that any service allows, IAM and Lambda among them
RANDOM_CHARACTERS = 13  #: a hyphen and what AWS appends to a name that it makes


@dataclass
class StackBuilder:
    """The stack under construction; the only mutable object of a deployment."""

    stack: str
    root: Path  #: the folder of the template
    built: bool
    client: Callable[[str], Any]
    region: str = REGION
    exists: bool = False  #: whether the resource in hand is there already, to be brought up to date
    earlier: Created | None = None  #: the resource in hand as the stack's last deployment left it
    functions: list[FunctionSpec] = field(default_factory=list)
    event_sources: list[EventSource] = field(default_factory=list)
    rules: list[RuleSpec] = field(default_factory=list)
    schedules: list[ScheduleSpec] = field(default_factory=list)
    routes: list[RouteSpec] = field(default_factory=list)
    grants: list[Grants] = field(default_factory=list)
    event_buckets: set[str] = field(default_factory=set)
    invoke_configs: dict[str, dict[str, Any]] = field(default_factory=dict)  #: by function name
    layers: dict[str, Path] = field(default_factory=dict)  #: by layer ARN

    def name(self, logical_id: str) -> str:
        """The physical name of a resource without a name in the template, with the stack's name cut as AWS cuts it.

        AWS also appends random characters. Here, those of other regions have their region instead.
        """
        room = NAME_CHARACTERS_MAX - RANDOM_CHARACTERS - len(logical_id) - 1
        apart = "" if self.region == REGION else f"-{self.region}"
        return f"{self.stack[:room]}-{logical_id}{apart}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{ACCOUNT}:{resource}"


@dataclass(frozen=True)
class ResourceType:
    """How to create resources of one CloudFormation type."""

    create: Callable[[StackBuilder, str, Properties], Created]
    supported: frozenset[str]  #: properties that take effect
    ignored: Mapping[str, str] = field(default_factory=dict)  #: property → why the laptop cloud may ignore it
    named_by: str = ""  #: the property with the name, if AWS refuses a name that is taken
    delete: Callable[[StackBuilder, Created], None] = lambda _, __: None

    def effective(self, logical_id: str, kind: str, properties: Mapping[str, Any]) -> Properties:
        """The supported `properties`; TemplateError for a property that is neither supported nor ignored."""
        for name in properties:
            if name not in self.supported and name not in self.ignored:
                raise TemplateError(f"{logical_id} ({kind}): property {name} is not supported by the laptop cloud")
        return {name: value for name, value in properties.items() if name in self.supported}


def resource_type(
    create: Callable[[StackBuilder, str, Properties], Created],
    supported: str,
    ignored: Mapping[str, str] | None = None,
    **more: Any,
) -> ResourceType:
    """A ResourceType; `supported` lists property names separated by blanks."""
    return ResourceType(create, frozenset(supported.split()), ignored or {}, **more)


def only(logical_id: str, path: str, properties: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raises TemplateError if the nested `properties` have a name that is not in `known`."""
    if unknown := sorted(set(properties) - set(known)):
        raise TemplateError(f"{logical_id}: property {path}.{unknown[0]} is not supported by the laptop cloud")


def subset(properties: Properties, *names: str) -> Properties:
    return {name: properties[name] for name in names if name in properties}


def as_bool(value: Any) -> bool:
    """Templates may write a boolean as true or as "true"."""
    return str(value).lower() == "true"


def camel(value: Any) -> Any:
    """Lower-cases the first letter of property names, as the APIs of EMR Serverless and Logs spell them."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: camel(item) for key, item in value.items()}
    return value
