"""Bytes that arrive in parts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.spark_jobs.engine.decompression.packing import CONTENT, by_arrow, plain


def test_what_fails_on_the_way_is_no_damage() -> None:
    """A broken connection is a transient error, also when pyarrow reads."""

    def parts() -> Iterator[bytes]:
        yield by_arrow("zstd")(CONTENT)[:1_000]
        raise ConnectionResetError("broken off")

    with pytest.raises(ConnectionResetError):
        list(plain(parts()))
