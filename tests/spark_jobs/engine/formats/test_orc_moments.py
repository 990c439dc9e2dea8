"""Moments that pyarrow cannot read from ORC."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest

from tests.spark_jobs.engine.formats.columns_read import ID, MOMENT, field, orc, read


@pytest.mark.parametrize("codec", ["UNCOMPRESSED", "SNAPPY", "ZLIB", "LZ4", "ZSTD"])
@pytest.mark.parametrize(("year", "readable"), [(1600, False), (1700, True), (2026, True), (2262, True), (9999, False)])
def test_moments_that_orc_would_misread_are_refused(codec: str, year: int, readable: bool) -> None:
    """pyarrow reads nanoseconds, and silently another year outside their range, which the file's statistics show."""
    moments = pa.array([MOMENT, datetime(year, 1, 2, tzinfo=UTC), None], pa.timestamp("us", "UTC"))
    table = pa.table({"id": range(3), "at": moments, **{f"text{number}": ["x"] * 3 for number in range(30)}})
    rows, rejected, end = read(orc(table, compression=codec), ID, field("at", "timestamp"), type_="orc")
    if readable:
        assert ([row["at"] for row in rows], rejected, end.problem) == (moments.to_pylist(), [], None)
    else:
        problem = "timestamps before 1677 or after 2262, which cannot be read from ORC"
        assert (rows, [one.reason for one in rejected], end.problem) == ([], [problem], problem)
