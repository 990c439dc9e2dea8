"""Reads the SAM template, expands it offline, and resolves its intrinsics against the resources created so far."""

from __future__ import annotations

import copy
import logging
import os
import re
from typing import TYPE_CHECKING, Any

import yaml

from local.account import ACCOUNT, REGION, STACK, TemplateError
from local.stack.deployment import Created

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Json = Any
LOCAL_CODE = "local-source"  #: the bucket name under which local code paths travel through the SAM translator
CODE_PROPERTIES = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_ABSENT = object()  # what AWS::NoValue resolves to, until its property is dropped


class _CfnLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags; dates stay text, as CloudFormation reads them."""


_CfnLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _tag(loader: yaml.SafeLoader, suffix: str, node: Any) -> Json:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        return {name: text.split(".", 1) if name == "Fn::GetAtt" else text}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    return {name: loader.construct_sequence(node, deep=True)}


_CfnLoader.add_multi_constructor("!", _tag)


def load(path: Path) -> dict[str, Json]:
    """The template as written, with short tags in their long form."""
    return dict(yaml.load(path.read_text(encoding="utf-8"), _CfnLoader))  # noqa: S506 — a SafeLoader


def expand(template: Mapping[str, Json], parameters: Mapping[str, str] | None = None) -> dict[str, Json]:
    """The template with its SAM resources expanded to CloudFormation. TemplateError if SAM rejects it.

    Local code paths become `s3://local-source/<path>`, because the translator accepts only S3 URIs.
    """
    from samtranslator.public.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform

    # It counts its own calls, publishes them nowhere, and complains of that whenever Python collects garbage.
    logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)  # the translator asks boto3 for a region
    prepared = _with_code_on_s3(copy.deepcopy(dict(template)))
    try:
        return dict(transform(prepared, dict(parameters or {}), _NoManagedPolicies()))
    except InvalidDocumentException as error:
        raise TemplateError(f"SAM rejects the template: {[cause.message for cause in error.causes]}") from error


class _NoManagedPolicies:
    """Looks up no managed policies: the template names them by ARN, and expansion must work offline."""

    def load(self) -> dict[str, str]:
        return {}


def _with_code_on_s3(template: dict[str, Json]) -> dict[str, Json]:
    common = template.get("Globals", {}).get("Function", {})
    _move_code(common, "CodeUri")
    for resource in template.get("Resources", {}).values():
        if name := CODE_PROPERTIES.get(resource.get("Type", "")):
            _move_code(resource.setdefault("Properties", {}), name)
    return template


def _move_code(properties: dict[str, Json], name: str) -> None:
    path = properties.get(name)
    if isinstance(path, str) and not path.startswith("s3://"):
        properties[name] = f"s3://{LOCAL_CODE}/{path.strip('/')}"


class Resolver:
    """Resolves intrinsics; references to resources resolve against those created so far."""

    def __init__(
        self,
        template: Mapping[str, Json],
        parameters: Mapping[str, str],
        stack: str = STACK,
        region: str = REGION,
        account: str = ACCOUNT,
    ) -> None:
        self.template = template
        self.created: dict[str, Created] = {}
        self._parameters = {**_pseudo_parameters(stack, region, account), **_parameter_values(template, parameters)}
        self._conditions: Mapping[str, Json] = template.get("Conditions", {})

    def resolve(self, node: Json, where: str) -> Json:
        """`node` with its intrinsics resolved and without the properties that resolve to AWS::NoValue.

        Raises TemplateError for an unsupported intrinsic; `where` names resource and property in its message.
        """
        if isinstance(node, list):
            return [value for item in node if (value := self.resolve(item, where)) is not _ABSENT]
        if not isinstance(node, dict):
            return node
        if name := _intrinsic(node):
            return self._apply(name, node[name], where)
        resolved = {key: self.resolve(value, f"{where}.{key}") for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _ABSENT}

    def check_rules(self) -> None:
        """TemplateError with the description of the first assertion of the template's Rules that does not hold."""
        for name, rule in self.template.get("Rules", {}).items():
            where = f"Rules.{name}"
            if self.resolve(rule.get("RuleCondition", True), where) is not True:
                continue
            for assertion in rule["Assertions"]:
                if self.resolve(assertion["Assert"], where) is not True:
                    raise TemplateError(f"{where}: {assertion.get('AssertDescription', 'an assertion does not hold')}")

    def condition(self, name: str, where: str) -> bool:
        if name not in self._conditions:
            raise TemplateError(f"{where}: condition {name} is not in the template")
        return bool(self.resolve(self._conditions[name], f"Conditions.{name}"))

    def _apply(self, name: str, argument: Json, where: str) -> Json:
        if name == "Fn::If":
            chosen = argument[1] if self.condition(argument[0], where) else argument[2]
            return self.resolve(chosen, where)
        if name == "Condition":
            return self.condition(argument, where)
        if name == "Fn::Sub":
            return self._sub(argument, where)
        if name not in _FUNCTIONS:
            raise TemplateError(f"{where}: intrinsic {name} is not supported by the laptop cloud")
        return _FUNCTIONS[name](self, self.resolve(argument, where), where)

    def ref(self, name: str, where: str) -> Json:
        if name == "AWS::NoValue":
            return _ABSENT
        if name in self._parameters:
            return self._parameters[name]
        return self._resource(name, where).ref

    def get_att(self, name: str, attribute: str, where: str) -> str:
        resource = self._resource(name, where)
        if attribute not in resource.attributes:
            raise TemplateError(
                f"{where}: {name} ({resource.type}) has no attribute {attribute}; known: {sorted(resource.attributes)}"
            )
        return resource.attributes[attribute]

    def _resource(self, name: str, where: str) -> Created:
        if name not in self.created:
            raise TemplateError(f"{where}: {name} is neither a parameter nor a created resource")
        return self.created[name]

    def _sub(self, argument: Json, where: str) -> str:
        text, values = argument if isinstance(argument, list) else (argument, {})
        own = {key: self.resolve(value, where) for key, value in values.items()}

        def replace(match: re.Match[str]) -> str:
            name = match.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return str(own[name])
            resource, _, attribute = name.partition(".")
            return str(self.get_att(resource, attribute, where) if attribute else self.ref(name, where))

        return re.sub(r"\$\{([^}]+)\}", replace, text)


def references(node: Json) -> Iterator[str]:
    """The names of all parameters and resources that `node` refers to by Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        match _intrinsic(node):
            case "Ref":
                yield node["Ref"]
            case "Fn::GetAtt":
                target = node["Fn::GetAtt"]
                yield target[0] if isinstance(target, list) else target.split(".")[0]
            case "Fn::Sub":
                yield from _sub_references(node["Fn::Sub"])
            case _:
                for value in node.values():
                    yield from references(value)


def _sub_references(argument: Json) -> Iterator[str]:
    text, values = argument if isinstance(argument, list) else (argument, {})
    yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", text) if name not in values)
    yield from references(values)


def _intrinsic(node: Mapping[str, Json]) -> str | None:
    """The intrinsic's name if the mapping is one, else None; `Condition` is an intrinsic only with a text argument."""
    if len(node) != 1:
        return None
    name, argument = next(iter(node.items()))
    is_condition = name == "Condition" and isinstance(argument, str)
    return name if name == "Ref" or name.startswith("Fn::") or is_condition else None


def _find_in_map(resolver: Resolver, argument: Json, where: str) -> Json:
    try:
        return resolver.template["Mappings"][argument[0]][argument[1]][argument[2]]
    except KeyError as error:
        raise TemplateError(f"{where}: Fn::FindInMap {argument} is not in the template's Mappings") from error


def _get_att(resolver: Resolver, argument: Json, where: str) -> Json:
    name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
    return resolver.get_att(name, attribute, where)


_FUNCTIONS: dict[str, Any] = {
    "Ref": lambda resolver, name, where: resolver.ref(name, where),
    "Fn::GetAtt": _get_att,
    "Fn::FindInMap": _find_in_map,
    "Fn::Join": lambda _, argument, __: argument[0].join(str(part) for part in argument[1]),
    "Fn::Select": lambda _, argument, __: argument[1][int(argument[0])],
    "Fn::Split": lambda _, argument, __: argument[1].split(argument[0]),
    "Fn::Equals": lambda _, argument, __: str(argument[0]) == str(argument[1]),
    "Fn::Not": lambda _, argument, __: not argument[0],
    "Fn::And": lambda _, argument, __: all(argument),
    "Fn::Or": lambda _, argument, __: any(argument),
    "Fn::EachMemberEquals": lambda _, argument, __: all(member == argument[1] for member in argument[0]),
}


def _pseudo_parameters(stack: str, region: str, account: str) -> dict[str, str]:
    return {
        "AWS::AccountId": account,
        "AWS::Region": region,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack,
        "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/{stack}/local",
    }


def _parameter_values(template: Mapping[str, Json], given: Mapping[str, str]) -> dict[str, Json]:
    declared = template.get("Parameters", {})
    if unknown := sorted(set(given) - set(declared)):
        raise TemplateError(f"parameters {unknown} are not in the template; it has {sorted(declared)}")
    return {name: _parameter_value(name, spec, given) for name, spec in declared.items()}


def _parameter_value(name: str, spec: Mapping[str, Json], given: Mapping[str, str]) -> Json:
    value = given.get(name, spec.get("Default"))
    if value is None:
        raise TemplateError(f"parameter {name} has no default and was not given")
    if "AllowedValues" in spec and str(value) not in [str(allowed) for allowed in spec["AllowedValues"]]:
        raise TemplateError(f"parameter {name}: {value!r} is not one of {spec['AllowedValues']}")
    if not re.search(spec.get("AllowedPattern", ""), str(value)):
        raise TemplateError(f"parameter {name}: {value!r} does not match {spec['AllowedPattern']}")
    if spec["Type"] in ("CommaDelimitedList", "List<String>"):
        return [part.strip() for part in str(value).split(",")]
    if spec["Type"] not in ("String", "Number"):
        raise TemplateError(f"parameter {name}: type {spec['Type']} is not supported by the laptop cloud")
    return _number(str(value)) if spec["Type"] == "Number" else str(value)


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
