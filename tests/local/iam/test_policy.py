"""The evaluator decides as IAM does, and reads nothing that it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from local.iam.policy import PolicyError, Request, decide, parse

BUCKET = "arn:aws:s3:::lake"


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    whole = [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"} | one for one in statements]
    return {"Version": version, "Statement": whole}


def allowed(document: dict[str, Any], action: str, resource: str, **context: str) -> bool:
    keys = {name.replace("__", ":").replace("_", "-"): value for name, value in context.items()}
    return decide(parse(document), Request(action, resource, keys)).allowed


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", f"{BUCKET}/a/b.json", True),
        ("S3:getobject", f"{BUCKET}/a", True),
        ("s3:GetObjectVersion", f"{BUCKET}/a", False),
        ("s3:PutObject", f"{BUCKET}/a", False),
        ("s3:GetObject", BUCKET, False),
        ("s3:GetObject", "arn:aws:s3:::LAKE/a", False),
        ("s3:GetObject", f"{BUCKET}/a\nb", True),
    ],
)
def test_a_call_needs_an_action_and_a_resource_that_match(action: str, resource: str, expected: bool) -> None:
    """Actions match in any case, resources exactly; a wildcard reaches over slashes and line ends."""
    assert allowed(policy({}), action, resource) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("s3:Get*", "s3:GetObject", True),
        ("s3:?etObject", "s3:GetObject", True),
        ("s3:Get?", "s3:GetObject", False),
        ("s3.GetObject", "s3:GetObject", False),
        ("*", "s3:GetObject", True),
    ],
)
def test_wildcards_are_star_and_question_mark_alone(pattern: str, text: str, expected: bool) -> None:
    """All other characters, such as the dot of a regular expression, stand for themselves."""
    assert allowed(policy({"Action": pattern}), text, f"{BUCKET}/a") is expected


def test_a_deny_wins_wherever_it_stands() -> None:
    """The refusal says that it was explicit; without any statement it says that no policy allows the action."""
    deny = {"Effect": "Deny", "Resource": f"{BUCKET}/secret/*"}
    for document in (policy({}, deny), policy(deny, {})):
        assert allowed(document, "s3:GetObject", f"{BUCKET}/a")
        decision = decide(parse(document), Request("s3:GetObject", f"{BUCKET}/secret/a"))
        assert decision.reason == "with an explicit deny in an identity-based policy"
    nothing = decide(parse(policy({})), Request("s3:PutObject", f"{BUCKET}/a"), "session")
    assert nothing.reason == "because no session policy allows the s3:PutObject action"


def test_a_condition_holds_only_with_a_value_that_matches() -> None:
    """A request without the key, or with another value, is not allowed; one of several values is enough."""
    document = policy({"Condition": {"StringEquals": {"Events:Source": ["tidemark", "other"]}}})
    assert allowed(document, "s3:GetObject", f"{BUCKET}/a", events__source="tidemark")
    assert not allowed(document, "s3:GetObject", f"{BUCKET}/a", events__source="tidemark2")
    assert not allowed(document, "s3:GetObject", f"{BUCKET}/a")


def test_string_equals_knows_no_wildcards_and_string_like_does() -> None:
    """`*` is a character to StringEquals."""
    for operator, expected in (("StringEquals", False), ("StringLike", True)):
        document = policy({"Condition": {operator: {"events:source": "tide*"}}})
        assert allowed(document, "s3:GetObject", f"{BUCKET}/a", events__source="tidemark") is expected


def test_a_variable_is_the_callers_own_value() -> None:
    """A wildcard in the value is no wildcard; `${*}` is the character; without a value nothing matches."""
    own = policy({"Resource": f"{BUCKET}/${{aws:userid}}/${{*}}*"})
    assert allowed(own, "s3:GetObject", f"{BUCKET}/A*/*x", aws__userid="A*")
    assert not allowed(own, "s3:GetObject", f"{BUCKET}/AB/*x", aws__userid="A*")
    assert not allowed(own, "s3:GetObject", f"{BUCKET}/A*/x", aws__userid="A*")
    assert not allowed(own, "s3:GetObject", f"{BUCKET}/A*/*x")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (policy({"NotAction": "s3:*"}), "statement element NotAction is not supported"),
        (policy({"Principal": "*"}), "statement element Principal is not supported"),
        ({"Statement": [{"Effect": "Allow", "Action": "s3:*"}]}, "statement element Resource is missing"),
        (policy({"Effect": "allow"}), "Effect is Allow or Deny, found allow"),
        (policy({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}), "condition operator IpAddress"),
        (policy({"Condition": {"StringEquals": {"aws:PrincipalTag/x": "y"}}}), "condition key aws:PrincipalTag/x"),
        (policy({"Resource": f"{BUCKET}/${{aws:username}}"}), r"policy variable \$\{aws:username\} is not supported"),
        (policy({"Resource": f"{BUCKET}/${{aws:userid}}"}, version="2008-10-17"), "needs Version 2012-10-17"),
        ({"Statement": [], "Extra": 1}, "policy element Extra is not supported"),
    ],
)
def test_what_the_evaluator_does_not_know_is_an_error(document: dict[str, Any], message: str) -> None:
    """Neither a pass nor a silent refusal: whoever writes such a policy learns it when it is read."""
    with pytest.raises(PolicyError, match=message):
        parse(document)
