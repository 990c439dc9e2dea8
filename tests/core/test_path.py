"""Paths to the records inside of an object."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.path import Path, parse_path, written_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Records[*]", ("Records", None)),
        ("$.Records[*]", ("Records", None)),
        ("$['Records'].*", ("Records", None)),
        (" Item ", ("Item",)),
        ("['detail-type'].events[0]", ("detail-type", "events", 0)),
        ('a["b\\"c"][-1]', ("a", 'b"c', -1)),
        ("['it\\'s\\u00e9\\n']", ("it'sé\n",)),
        ("é.x_1", ("é", "x_1")),
    ],
)
def test_a_path_is_read_as_jsonpath_reads_it(text: str, path: Path) -> None:
    """Members by either notation, indexes, and every element."""
    assert parse_path(text) == path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a..b", "found '..b'"),
        ("a.", "found '.'"),
        ("a[?(@.x)]", "found '[?(@.x)]'"),
        ("a[1:2]", "found '[1:2]'"),
        ("a[01]", "found '[01]'"),
        ("a b", "found ' b'"),
        ("a['x", 'found "[\'x"'),
        ("[*]", "expected a path that begins with a member's name"),
        ("[0].a", "expected a path that begins with a member's name"),
        ("$", "expected a path that begins with a member's name"),
        ("", "found '.'"),
    ],
)
def test_what_is_no_such_path_is_shown(text: str, found: str) -> None:
    """The error shows from where on it could not be read."""
    with pytest.raises(ValueError, match="expected") as raised:
        parse_path(text)
    assert found in str(raised.value)


@given(st.text(min_size=1, max_size=5), st.lists(st.none() | st.integers(-99, 99) | st.text(max_size=5), max_size=4))
def test_a_path_reads_back_as_it_is_written(first: str, rest: list[int | str | None]) -> None:
    """Whatever the members are called."""
    path = (first, *rest)
    assert parse_path(written_path(path)) == path
