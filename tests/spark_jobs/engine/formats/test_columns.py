"""What becomes of a whole column."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.engine.formats.records import RecordReader
from spark_jobs.engine.formats.rescue import plain
from spark_jobs.engine.formats.scanner import Number
from tests.spark_jobs.engine.formats.columns_read import column, field


@given(
    st.sampled_from(["int", "bigint", "decimal(5,2)", "decimal(38,10)", "double", "string(5)", "boolean", "timestamp"]),
    st.one_of(
        st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3),
        st.lists(st.none() | st.floats(), min_size=1, max_size=3),
        st.lists(st.none() | st.booleans(), min_size=1, max_size=3),
        st.lists(st.none() | st.text(max_size=4), min_size=1, max_size=3),
        st.lists(st.none() | st.integers(-(10**6), 10**6).map(lambda n: Decimal(n).scaleb(-3)), min_size=1, max_size=3),
    ),
)
def test_a_column_reads_as_its_values_do_in_json(type_: str, values: list[Any]) -> None:
    """Whether Arrow converts it whole or value by value, what fits and what does not is the same."""
    assert repr(column(pa.array(values), type_)) == repr([by_json(value, type_) for value in values])


def by_json(value: object, type_: str) -> object:
    """What a JSON record's field becomes, or the reason why it does not."""
    said = plain(value)
    text = said if isinstance(said, Number) else json.dumps(said)
    piece, *_ = RecordReader([field("x", type_)]).read([b'{"x":%s}' % text.encode()])
    return piece["x"][0].as_py() if isinstance(piece, pa.Table) else piece[0].reason.removeprefix("x: ")
