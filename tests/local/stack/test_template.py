"""The template is read, expanded offline, and resolved strictly."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from local.account import TemplateError
from local.stack.deployment import Created
from local.stack.template import Resolver, expand, load, references

SMALL = Path(__file__).parents[1] / "small" / "template.yaml"


def resolver(**template: Any) -> Resolver:
    made = Resolver(template, {})
    made.created["Queue"] = Created("AWS::SQS::Queue", "http://queue", {"Arn": "arn:queue"})
    return made


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return path


def test_short_tags_become_their_long_forms(tmp_path: Path) -> None:
    """!Ref, !GetAtt, !Sub and nested tags read as CloudFormation's JSON forms; dates stay text."""
    path = written(
        tmp_path, "a: !Ref X\nb: !GetAtt X.Arn.Y\nc: !If [C, !Sub 'x${X}', !Ref AWS::NoValue]\nd: 2012-10-17\n"
    )
    assert load(path) == {
        "a": {"Ref": "X"},
        "b": {"Fn::GetAtt": ["X", "Arn.Y"]},
        "c": {"Fn::If": ["C", {"Fn::Sub": "x${X}"}, {"Ref": "AWS::NoValue"}]},
        "d": "2012-10-17",
    }


def test_sam_resources_are_expanded_offline() -> None:
    """A function brings its role, event source, rule, permission and schedule; its code is still the local folder."""
    resources = expand(load(SMALL))["Resources"]
    kinds = {
        name: resource["Type"]
        for name, resource in resources.items()
        if name.startswith("Work") and name != "Workgroup"
    }
    assert kinds == {
        "Work": "AWS::Lambda::Function",
        "WorkRole": "AWS::IAM::Role",
        "WorkEvery": "AWS::Scheduler::Schedule",
        "WorkEveryRole": "AWS::IAM::Role",
        "WorkDue": "AWS::Events::Rule",
        "WorkDuePermission": "AWS::Lambda::Permission",
        "WorkEventInvokeConfig": "AWS::Lambda::EventInvokeConfig",
    }
    assert resources["Work"]["Properties"]["Code"] == {"S3Bucket": "local-source", "S3Key": "functions"}


def test_an_expansion_says_nothing_later(caplog: pytest.LogCaptureFixture) -> None:
    """Not even when Python frees what SAM's translator has left: a command's error output belongs to the command."""
    function = {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.b", "Runtime": "python3.11"}}
    expand({"Resources": {"Plan": {**function, "Properties": {**function["Properties"], "CodeUri": "functions/"}}}})
    gc.collect()
    assert caplog.records == []


def test_what_sam_refuses_is_named() -> None:
    """A SAM mistake is a TemplateError with SAM's own words."""
    function = {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.b", "CodeUri": ".", "Wrong": 1}}
    with pytest.raises(TemplateError, match="Wrong"):
        expand({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"F": function}})


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"Ref": "Queue"}, "http://queue"),
        ({"Ref": "AWS::StackName"}, "tidemark"),
        ({"Ref": "Word"}, "hello"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:queue"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:queue"),
        ({"Fn::Sub": "${Word} ${Queue.Arn} ${!Literal} ${AWS::Region}"}, "hello arn:queue ${Literal} us-east-1"),
        ({"Fn::Sub": ["${a}-${Word}", {"a": {"Ref": "Queue"}}]}, "http://queue-hello"),
        ({"Fn::Join": ["/", ["a", {"Ref": "Word"}]]}, "a/hello"),
        ({"Fn::Select": [1, {"Fn::Split": [":", "a:b:c"]}]}, "b"),
        ({"Fn::If": ["IsHello", "yes", {"Ref": "Nowhere"}]}, "yes"),
        ({"Fn::If": ["IsNot", {"Ref": "Nowhere"}, "no"]}, "no"),
        ({"Fn::FindInMap": ["M", "a", "b"]}, 7),
        ({"keep": [1, {"Ref": "AWS::NoValue"}], "drop": {"Ref": "AWS::NoValue"}}, {"keep": [1]}),
        ({"Condition": {"Bool": {"x": "y"}}}, {"Condition": {"Bool": {"x": "y"}}}),
    ],
)
def test_intrinsics_are_resolved(node: Any, expected: Any) -> None:
    """Each intrinsic gives what CloudFormation gives; the branch of an If that is not taken is not looked at."""
    made = resolver(
        Parameters={"Word": {"Type": "String", "Default": "hello"}},
        Conditions={
            "IsHello": {"Fn::Equals": [{"Ref": "Word"}, "hello"]},
            "IsNot": {"Fn::Not": [{"Condition": "IsHello"}]},
        },
        Mappings={"M": {"a": {"b": 7}}},
    )
    assert made.resolve(node, "here") == expected


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"Fn::Cidr": ["10.0.0.0/8", 1, 8]}, "Bucket.Name: intrinsic Fn::Cidr is not supported"),
        ({"Fn::ImportValue": "x"}, "Bucket.Name: intrinsic Fn::ImportValue is not supported"),
        ({"Ref": "Nowhere"}, "Bucket.Name: Nowhere is neither a parameter nor a created resource"),
        ({"Fn::GetAtt": ["Queue", "Size"]}, "Bucket.Name: Queue .* has no attribute Size"),
        ({"Fn::Sub": "${Nowhere}"}, "Bucket.Name: Nowhere"),
        ({"Fn::If": ["Unknown", 1, 2]}, "Bucket.Name: condition Unknown"),
    ],
)
def test_what_cannot_be_resolved_is_named(node: Any, message: str) -> None:
    """An unknown intrinsic, name or attribute is an error that names the property, never an empty text."""
    with pytest.raises(TemplateError, match=message):
        resolver().resolve({"Name": node}, "Bucket")


@pytest.mark.parametrize(
    ("spec", "given", "message"),
    [
        ({"Type": "String"}, {}, "P has no default"),
        ({"Type": "String", "Default": "a", "AllowedValues": ["a"]}, {"P": "b"}, "'b' is not one of"),
        ({"Type": "String", "Default": "a", "AllowedPattern": "^a$"}, {"P": "b"}, "'b' does not match"),
        ({"Type": "AWS::SSM::Parameter::Value<String>", "Default": "a"}, {}, "type AWS::SSM"),
        ({"Type": "String", "Default": "a"}, {"Q": "b"}, r"\['Q'\] are not in the template"),
    ],
)
def test_parameters_are_checked(spec: dict[str, Any], given: dict[str, str], message: str) -> None:
    """A missing, forbidden or unknown parameter is refused before anything is created."""
    with pytest.raises(TemplateError, match=message):
        Resolver({"Parameters": {"P": spec}}, given)


def test_references_finds_every_name() -> None:
    """Ref, GetAtt, Sub with and without own values, at any depth; escaped and own names are no references."""
    node = [
        {"Ref": "A"},
        {"x": {"Fn::GetAtt": ["B", "Arn"]}},
        {"Fn::Sub": ["${C.Arn} ${own} ${!D}", {"own": {"Ref": "E"}}]},
        {"Fn::If": ["Z", {"Ref": "F"}, 1]},
    ]
    assert sorted(references(node)) == ["A", "B", "C", "E", "F"]
