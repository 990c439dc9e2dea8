"""What an event pattern matches."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.stack.event_pattern import InvalidPatternError, Pattern

CREATED = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": "raw"}, "object": {"key": "in/a b.gz", "size": 5}, "tags": ["x", "y"]},
}


@pytest.mark.parametrize(
    ("detail", "matches"),
    [
        ({"bucket": {"name": ["raw"]}}, True),
        ({"bucket": {"name": ["other"]}}, False),
        ({"object": {"key": [{"prefix": "in/"}]}}, True),
        ({"object": {"key": [{"suffix": ".gz"}, {"prefix": "out/"}]}}, True),
        ({"object": {"key": [{"wildcard": "in/*.json"}]}}, False),
        ({"object": {"key": [{"anything-but": {"prefix": "in/"}}]}}, False),
        ({"object": {"key": [{"equals-ignore-case": "IN/A B.GZ"}]}}, True),
        ({"object": {"size": [{"numeric": [">", 0, "<=", 5]}]}}, True),
        ({"object": {"version-id": [{"exists": False}]}}, True),
        ({"object": {"version-id": [{"exists": True}]}}, False),
        ({"tags": ["y"]}, True),
        ({"$or": [{"object": {"size": [9]}}, {"bucket": {"name": ["raw"]}}]}, True),
    ],
)
def test_patterns_match_as_on_aws(detail: dict[str, Any], matches: bool) -> None:
    """Exact values, each operator, absence, lists and alternatives."""
    assert Pattern.parse(json.dumps({"source": ["aws.s3"], "detail": detail})).matches(CREATED) is matches


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"a": "b"}', '{"a": []}', '{"a": [{"almost": "b"}]}'])
def test_a_pattern_that_cannot_be_understood_is_refused(text: str) -> None:
    """No JSON, no object, empty, a bare value, no values, or an operator that does not exist."""
    with pytest.raises(InvalidPatternError):
        Pattern.parse(text)
