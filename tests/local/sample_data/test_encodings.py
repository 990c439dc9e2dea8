"""How records lie in a file."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.sample_data.generate import Expected, generate
from local.sample_data.records import EXPORT_WHOLE
from tests.local.sample_data.conftest import START, STREAMS, content, objects_in, rows_of


@pytest.mark.parametrize("dataset", STREAMS)
def test_without_separator_objects_stand_one_behind_the_other(dataset: str) -> None:
    """The default is Firehose's: `{"a":1}{"a":2}`, and all of it is readable."""
    landed = list(generate(dataset, 1, 1_000, START))
    records = [record for each in landed for record in objects_in(content(each))]
    assert len(records) == 1_000
    assert not any("\n" in content(each) for each in landed)


def test_an_export_is_a_file_with_header_and_quoted_fields() -> None:
    """First the households that there are, then those that are new or have changed; dirt is ragged or nameless."""
    landed = list(generate("customers", 3, 1_000, START, per_file=EXPORT_WHOLE, dirt=0.1, duplicates=0.1))
    rows = [row for each in landed for row in rows_of(each)]
    whole = [row for row in rows if len(row) == 8]
    expected = Expected.total(landed)
    assert [each.expected.records for each in landed] == [EXPORT_WHOLE] + [50] * 10
    assert all(line.startswith('"') for each in landed for line in content(each).splitlines())
    assert (len(rows), len([row for row in whole if row[0]])) == (1_000, expected.clean)
    assert expected.dirt == {
        "cut_off": len([row for row in rows if len(row) < 8]),
        "too_many": len([row for row in rows if len(row) > 8]),
        "missing_field": len([row for row in whole if not row[0]]),
    }
    assert min(expected.dirt.values()) > 10


@given(seed=st.integers(0, 1_000))
def test_unreadable_records_never_touch(seed: int) -> None:
    """Without a separator two of them would be one to any reader, and the totals would be wrong."""
    (landed,) = generate("web_logs", seed, 60, START, separator="newline", dirt=0.9, per_file=100)
    readable = [line.endswith("}") and line.startswith("{") for line in content(landed).splitlines()]
    assert all(one or other for one, other in itertools.pairwise(readable))
