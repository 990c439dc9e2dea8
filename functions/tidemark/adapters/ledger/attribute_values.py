"""DynamoDB's typed form of values: `{"S": "text"}`. An item has hundreds, so they are converted in one pass.

The form is AWS's AttributeValue; `boto3.dynamodb.types` does the same for any type, several times as slowly, and a test
compares the two.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from tidemark.clock import iso

AttributeValue = dict[str, Any]
#: Fields of values that are no attribute of their own.
UNSTORED = ("unknown",)


def typed(value: Any) -> AttributeValue:
    """Returns a value in DynamoDB's form: times as ISO text, dataclasses as maps. TypeError for what has none."""
    match value:
        case str():
            form: AttributeValue = {"S": str(value)}  # of a StrEnum, its value
        case bool():
            form = {"BOOL": value}
        case int():
            form = {"N": str(value)}
        case None:
            form = {"NULL": True}
        case list() | tuple():
            form = {"L": [typed(element) for element in value]}
        case dict() | MappingProxyType():
            form = {"M": {key: typed(element) for key, element in value.items()}}
        case datetime():
            form = {"S": iso(value)}
        case bytes():
            form = {"B": value}
        case _ if is_dataclass(value):
            form = typed(attributes(value))
        case _:
            raise TypeError(f"expected a value that an item can hold, found {type(value).__name__}: {value!r}")
    return form


def plain(attribute: AttributeValue) -> Any:
    """Returns the value of an attribute; whole numbers are int, and sets, which no release writes, as they come."""
    ((kind, value),) = attribute.items()
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else Decimal(value)
    if kind == "L":
        return [plain(element) for element in value]
    if kind == "M":
        return {key: plain(element) for key, element in value.items()}
    return None if kind == "NULL" else value


def attributes(value: Any) -> dict[str, Any]:
    """Returns the fields of a dataclass that are stored, by name."""
    return {entry.name: getattr(value, entry.name) for entry in fields(value) if entry.name not in UNSTORED}
