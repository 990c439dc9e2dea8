"""Values in DynamoDB's form, compared with boto3's own conversion."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from tidemark.adapters.ledger.attribute_values import plain, typed

SCALARS = st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text() | st.binary()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


class Colour(StrEnum):
    """A text with a name."""

    RED = "red"


@dataclass(frozen=True)
class Ship:
    """A value with a field that is not stored."""

    name: str
    masts: tuple[int, ...] = ()
    unknown: dict[str, Any] = field(default_factory=dict)


@given(VALUES)
def test_the_form_is_the_one_that_boto3_gives(value: Any) -> None:
    """Of every value that both convert, and back."""
    assert typed(value) == TypeSerializer().serialize(value)
    assert plain(typed(value)) == value


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (datetime(2026, 11, 20, 9, 30, tzinfo=UTC), {"S": "2026-11-20T09:30:00.000000Z"}),
        (Colour.RED, {"S": "red"}),
        ((1, "a"), {"L": [{"N": "1"}, {"S": "a"}]}),
        (MappingProxyType({"a": 1}), {"M": {"a": {"N": "1"}}}),
        (Ship("Ann", (2,), {"new": 1}), {"M": {"name": {"S": "Ann"}, "masts": {"L": [{"N": "2"}]}}}),
    ],
)
def test_what_boto3_does_not_know_is_stored_as_text_list_or_map(value: Any, form: dict[str, Any]) -> None:
    """Times, names, tuples, read-only maps and dataclasses, without the fields that are not stored."""
    assert typed(value) == form


def test_a_value_without_a_form_is_an_error() -> None:
    """DynamoDB would round a float; nothing of the ledger is one."""
    with pytest.raises(TypeError, match=r"^expected a value that an item can hold, found float: 1\.5$"):
        typed({"a": [1.5]})


@pytest.mark.parametrize(
    ("form", "value"),
    [({"N": "1.5"}, Decimal("1.5")), ({"N": "-7"}, -7), ({"SS": ["a", "b"]}, ["a", "b"])],
)
def test_what_a_newer_release_may_have_written_is_read(form: dict[str, Any], value: Any) -> None:
    """Fractions and sets."""
    assert plain(form) == value
    assert form.keys() == {"SS"} or TypeDeserializer().deserialize(form) == value
