"""Which encoding a text has."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.spark_jobs.engine.decompression.packing import told, zstd


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_streams_go_on_unless_their_encoding_is_another(pack: Callable[[bytes], bytes]) -> None:
    """Parallel writers cut them in the middle of a record; a person joins whole files."""
    a, b = "id\n1\n", "id\né\n"
    joined = [pack(text.encode(encoding)) for text, encoding in ((a, "utf-8"), ("1\n", "utf-8"), (b, "utf-16"))]
    first, second = ("", b"id\n1\n1\n", ""), ("stream 2", b.encode("utf-16"), "")
    assert told(b"".join(joined)) == [first, second]
    assert told(joined[2] + joined[0]) == [("", b.encode("utf-16"), ""), ("stream 2", a.encode(), "")]


def test_a_stream_of_utf_16_that_was_cut_goes_on() -> None:
    """A stream in the middle of a text has no byte order mark."""
    body = "id\n12\n".encode("utf-16")
    assert told(gzip.compress(body[:8]) + gzip.compress(body[8:])) == [("", body, "")]


def test_what_is_no_text_has_no_encoding() -> None:
    """Bytes of a Parquet file may look like a byte order mark."""
    assert told(gzip.compress(b"PAR1") + gzip.compress(b"\xff\xfex"), None) == [("", b"PAR1\xff\xfex", "")]
