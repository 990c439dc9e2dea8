"""JSON from strangers: what is read, and what is refused in one line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.strict_json import strict_loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_plain_json_is_read_as_it_is(value: object) -> None:
    """Whatever Python writes strictly is read as the same value."""
    assert strict_loads(json.dumps(value, allow_nan=False), 100) == value


@pytest.mark.parametrize("text", ['["[[[[{{{{"]', r'["\"[[[[", "\\", []]', '{"[": "]"}', "[[], [], {}, [[]]]"])
def test_only_brackets_outside_of_texts_are_levels(text: str) -> None:
    """Brackets and escaped quotes within a text do not count, nor do levels that were closed."""
    assert strict_loads(text, 3) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[[[1]]]]", "more than 3 levels of nesting at character 3"),
        ('{"a": {"b": {"c": {}}}}', "more than 3 levels"),
        ("[" * 1_000_000, "more than 3 levels"),
        ('{"a": 1, "b": 2, "a": 3}', 'the key "a" twice in one object'),
        ('[{"x": {"a": 1, "\\u0061": 1}}]', 'the key "a" twice in one object'),
        ("[NaN]", "NaN"),
        ("Infinity", "Infinity"),
        ("-1e400", "a number too large: -1e400"),
        ("1" * 101, "a number of 101 digits"),
        ('"' + '\\"' * 100_000, "Unterminated string"),
        ("", "Expecting value"),
        ("{}{}", "Extra data"),
    ],
)
def test_what_readers_would_understand_differently_is_refused(text: str, words: str) -> None:
    """Too deep, a key twice (also when spelt otherwise), not finite, endless, cut off, empty, more than one value."""
    with pytest.raises(ValueError, match=r"\A.*\Z") as refused:
        strict_loads(text, 3)
    assert str(refused.value).startswith(words)
