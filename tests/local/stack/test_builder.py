"""Property checks that every resource table shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.account import TemplateError
from local.stack.builder import StackBuilder, as_bool, camel, only, resource_type, subset
from local.stack.deployment import Created


def create(*_: Any) -> Created:
    return Created("AWS::X::Y", "id")


def test_only_what_takes_effect_is_handed_on() -> None:
    """A property of neither list is an error that names resource, type and property."""
    kind = resource_type(create, "Name Size", {"Tags": "nobody looks at them here"})
    assert kind.effective("Box", "AWS::X::Y", {"Name": "a", "Tags": []}) == {"Name": "a"}
    with pytest.raises(TemplateError, match=r"^Box \(AWS::X::Y\): property Colour is not supported"):
        kind.effective("Box", "AWS::X::Y", {"Colour": "red"})


def test_a_nested_property_that_is_not_played_is_named_with_its_path() -> None:
    """The first of them, by the alphabet."""
    only("Box", "Lid", {"A": 1}, ["A", "B"])
    with pytest.raises(TemplateError, match=r"^Box: property Lid\.C is not supported"):
        only("Box", "Lid", {"D": 1, "C": 1}, ["A", "B"])


@pytest.mark.parametrize(
    ("value", "truth"), [(True, True), ("true", True), ("True", True), (False, False), ("no", False)]
)
def test_templates_say_true_in_many_ways(value: object, truth: bool) -> None:
    """Anything else is false."""
    assert as_bool(value) is truth


def test_names_are_spelled_as_the_apis_spell_them() -> None:
    """Keys of every depth, values as they are."""
    assert camel({"MaxSize": {"CpuCores": "A"}}) == {"maxSize": {"cpuCores": "A"}}
    assert subset({"A": 1, "B": 2}, "B", "C") == {"B": 2}


def builder(stack: str, region: str = "us-east-1") -> StackBuilder:
    return StackBuilder(stack, Path(), False, lambda service: None, region)


def test_an_arn_is_of_the_stacks_region() -> None:
    """And of the laptop's one account."""
    assert builder("tide", "eu-west-1").arn("sqs", "q") == "arn:aws:sqs:eu-west-1:123456789012:q"


@pytest.mark.parametrize(
    ("stack", "region", "name"),
    [
        ("tide", "us-east-1", "tide-Box"),
        ("tide", "eu-west-1", "tide-Box-eu-west-1"),
        ("t" * 60, "us-east-1", "t" * 47 + "-Box"),
    ],
)
def test_an_unnamed_resource_is_named_after_stack_and_logical_id(stack: str, region: str, name: str) -> None:
    """AWS would add random letters, which no test could wait for, and cuts the stack's name to make room for them."""
    assert builder(stack, region).name("Box") == name
