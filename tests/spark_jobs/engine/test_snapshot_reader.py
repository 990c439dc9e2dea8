"""Pinned files, read as the tables that they were."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame

from spark_jobs.engine.period import Night
from tests.spark_jobs.engine.conftest import FIRST, SECOND, VISITS, Given, pinned, summarised, totals, visits
from tidemark.core.job import RunFailure


def test_a_column_that_an_older_file_lacks_is_null(nights: Any, probe: Given) -> None:
    """A column that is no longer declared, or declared wider, causes no problem."""
    older = visits(("/", FIRST, 1), more=pa.array([1])).drop_columns("bytes")
    narrow = visits(("/", FIRST, 0)).set_column(2, "bytes", pa.array([5], pa.int32()))
    inputs = pinned(nights, older, narrow, visits(("/", FIRST, 2)))
    seen: list[Any] = []

    def compute(night: Night) -> dict[str, DataFrame]:
        seen.append(night.tables["visits"])
        return summarised(night)

    assert nights.run(probe(compute), FIRST, *inputs) == 0
    assert seen[0].dtypes == [("path", "string"), ("day", "date"), ("bytes", "bigint")]
    assert nights.rows("summary") == [{"day": FIRST, "visits": 3, "bytes": 7}]


def test_tables_without_files_are_empty(nights: Any, probe: Given) -> None:
    """A night of nothing is a night, and its tables are there."""
    assert nights.run(probe(summarised), FIRST, *pinned(nights)) == 0
    assert nights.result["inputs"] == {"visits": 0, "totals": 0}
    assert nights.result["tables"] == {
        "summary": {"rows": 0, "files": [], "days": []},
        "paths": {"rows": 0, "files": [], "days": []},
    }


@pytest.mark.parametrize("body", [None, b"no Parquet", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_pinned_file_that_is_gone_or_damaged_is_named_and_not_to_blame(
    nights: Any, probe: Given, body: bytes | None
) -> None:
    """A table's file cannot be quarantined, so the reason names the file and the batch is simply retried."""
    file = nights.put_bytes(body or b"", 1)
    if body is None:
        nights.s3.delete_object(Bucket=file.bucket, Key=file.key)
    broken = nights.pinned(VISITS.table("visits"), [file], (FIRST, SECOND))
    assert nights.run(probe(summarised), FIRST, broken, pinned(nights)[1]) == 1
    report = RunFailure.loads(json.dumps(nights.failure))
    assert (report.kind, report.file) == ("unknown", None)
    assert report.message.startswith(file.uri)


def test_sums_may_outgrow_the_type_of_what_is_summed(nights: Any, probe: Given) -> None:
    """Two sums that fill their decimal and their int are read as what they add up to, as the warehouse's view shows."""
    largest = ("/", 2**31 - 1, "9999999999.99")
    seen: list[tuple[Any, ...]] = []

    def looked_at(night: Night) -> dict[str, DataFrame]:
        seen.extend(map(tuple, night.tables["totals"].collect()))
        return {name: frame.limit(0) for name, frame in summarised(night).items()}

    assert nights.run(probe(looked_at), FIRST, *pinned(nights, sums=(totals(largest), totals(largest)))) == 0
    assert seen == [("/", 2**32 - 2, Decimal("19999999999.98"))]
