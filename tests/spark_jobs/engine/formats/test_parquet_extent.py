"""How far a Parquet file reaches before its footer."""

from __future__ import annotations

import io
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.engine.formats.parquet_extent import extent

ROWS = pa.table({"n": list(range(2_000)), "s": [f"text {n % 7}" for n in range(2_000)]})


def written(**how: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(ROWS, sink, **how)
    return sink.getvalue()


def footer_of(body: bytes) -> bytes:
    return body[-8 - int.from_bytes(body[-8:-4], "little") : -8]


@pytest.mark.parametrize(
    "how",
    [{}, {"use_dictionary": False}, {"row_group_size": 300}, {"write_page_index": True}, {"compression": "zstd"}],
    ids=str,
)
def test_a_file_reaches_to_its_footer(how: dict[str, object]) -> None:
    """Dictionaries, groups of rows and page indexes included: nothing lies between the extent and the footer."""
    body = written(**how)
    assert extent(footer_of(body)) == len(body) - 8 - len(footer_of(body))


def test_a_file_without_groups_of_rows_reaches_to_its_mark() -> None:
    """Four bytes at its beginning."""
    sink = io.BytesIO()
    pq.ParquetWriter(sink, ROWS.schema).close()
    assert extent(footer_of(sink.getvalue())) == 4


@pytest.mark.parametrize("body", [b"", b"\x1f", b"\x19" * 40, b"\x1c" * 100])
def test_what_is_no_footer_is_an_error(body: bytes) -> None:
    """Empty, cut off, of an unknown type, nested without an end."""
    with pytest.raises(ValueError, match="not a Parquet footer"):
        extent(body)


@given(st.binary(max_size=60))
def test_no_bytes_do_anything_but_tell_a_place_or_be_refused(body: bytes) -> None:
    """They come from a file that may be damaged."""
    with suppress(ValueError):
        assert isinstance(extent(body), int)
