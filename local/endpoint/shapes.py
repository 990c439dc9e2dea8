"""Values of a botocore service model: conversion between JSON and Python, and validation against shapes."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator


class ApiError(Exception):
    """An error that the service returns to its caller; `code` as in its model (e.g. ConflictException)."""

    def __init__(self, code: str, message: str, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.members = code, message, members


class AnswerError(AssertionError):
    """The answer does not match the service model: a bug in the stand-in, not in its caller."""


def from_texts(shape: Shape, texts: list[str]) -> Any:
    """The value or values of a query parameter as the shape's Python value."""
    if isinstance(shape, ListShape):
        return [from_text(shape.member, text) for text in texts]
    return from_text(shape, texts[0])


def from_text(shape: Shape, text: str) -> Any:
    """Text from a path, query string or header as the shape's Python value; ApiError if it is not one."""
    readers: dict[str, Callable[[str], Any]] = {
        "integer": int,
        "long": int,
        "float": float,
        "double": float,
        "boolean": {"true": True, "false": False}.__getitem__,
        "timestamp": _timestamp,
    }
    try:
        return readers.get(shape.type_name, str)(text)
    except (ValueError, KeyError) as error:
        raise ApiError("ValidationException", f"{text!r} is not a {shape.type_name}") from error


def decode(shape: Shape, value: Any) -> Any:
    """JSON value → Python value of the shape: member names, epoch numbers → datetime, base64 → bytes."""
    if value is None:
        return None
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        present = {names.get(key, key): item for key, item in value.items() if item is not None}
        return {k: decode(shape.members[k], v) if k in shape.members else v for k, v in present.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [decode(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: decode(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return _timestamp(value)
    if shape.type_name == "blob" and isinstance(value, str):
        return base64.b64decode(value)
    return value


def _timestamp(value: Any) -> datetime:
    moment = parse_timestamp(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# ---- validation


def input_problems(shape: StructureShape, parameters: Mapping[str, Any]) -> list[str]:
    """Problems found by botocore's validator, or else by the model's constraints (length, range, pattern, enum)."""
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        return [str(report.generate_report())]
    return list(broken_constraints(shape, parameters, ""))


def broken_constraints(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Each constraint of the model that the value violates, as AWS words it."""
    for limit, holds in _constraints(shape, value):
        if not holds:
            yield f"Value {str(value)[:100]!r} at {path!r} failed to satisfy constraint: {limit}"
    for child, item, step in _children(shape, value):
        yield from broken_constraints(child, item, f"{path}.{step}" if path else step)


def _constraints(shape: Shape, value: Any) -> Iterator[tuple[str, bool]]:
    rules = shape.metadata
    size, noun = (value, "value") if isinstance(value, int | float) else (_size(value), "length")
    if "min" in rules and size is not None:
        yield f"Member must have {noun} greater than or equal to {rules['min']}", size >= rules["min"]
    if "max" in rules and size is not None:
        yield f"Member must have {noun} less than or equal to {rules['max']}", size <= rules["max"]
    if "pattern" in rules and isinstance(value, str):
        words = f"Member must satisfy regular expression pattern: {rules['pattern']}"
        yield words, re.fullmatch(rules["pattern"], value, re.DOTALL) is not None
    if rules.get("enum") and isinstance(value, str):
        yield f"Member must satisfy enum value set: {list(rules['enum'])}", value in rules["enum"]


def _size(value: Any) -> int | None:
    return len(value) if isinstance(value, str | bytes | list | dict) else None


def _children(shape: Shape, value: Any) -> Iterator[tuple[Shape, Any, str]]:
    if isinstance(shape, StructureShape):
        yield from ((shape.members[name], item, name) for name, item in value.items())
    elif isinstance(shape, ListShape):
        yield from ((shape.member, item, f"{i}.member") for i, item in enumerate(value, 1))
    elif isinstance(shape, MapShape):
        yield from ((shape.value, item, f"{name}.member") for name, item in value.items())


# ---- answers


def encode(shape: Shape, value: Any, path: str) -> Any:
    """Python value → JSON value of the shape: datetime → epoch seconds, bytes → base64. Raises AnswerError."""
    if isinstance(shape, StructureShape):
        return _encode_structure(shape, value, path)
    if isinstance(shape, ListShape):
        _require(isinstance(value, list | tuple), shape, value, path)
        return [encode(shape.member, item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(shape, MapShape):
        _require(isinstance(value, Mapping), shape, value, path)
        return {key: encode(shape.value, item, f"{path}.{key}") for key, item in value.items()}
    _require(_is_scalar(shape, value), shape, value, path)
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _encode_structure(shape: StructureShape, value: Any, path: str) -> dict[str, Any]:
    _require(isinstance(value, Mapping), shape, value, path)
    present = {name: item for name, item in value.items() if item is not None}
    for problem, names in (
        ("unknown", set(present) - set(shape.members)),
        ("missing", set(shape.required_members) - set(present)),
    ):
        if names:
            raise AnswerError(f"{path} ({shape.name}): {problem} members {sorted(names)}")
    encoded = {name: encode(shape.members[name], item, f"{path}.{name}") for name, item in present.items()}
    return {shape.members[name].serialization.get("name", name): item for name, item in encoded.items()}


SCALARS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "string": str,
    "blob": bytes,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}


def _is_scalar(shape: Shape, value: Any) -> bool:
    if isinstance(value, bool) or shape.type_name == "boolean":
        return isinstance(value, bool) and shape.type_name == "boolean"
    if shape.type_name == "timestamp":
        return isinstance(value, datetime) and value.tzinfo is not None
    allowed = shape.metadata.get("enum")
    return isinstance(value, SCALARS[shape.type_name]) and (not allowed or value in allowed)


def _require(holds: object, shape: Shape, value: Any, path: str) -> None:
    if not holds:
        raise AnswerError(f"{path}: expected {shape.type_name} {shape.name}, found {value!r}")
