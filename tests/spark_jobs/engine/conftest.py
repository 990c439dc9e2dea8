"""Nightly jobs by hand, for the engine that runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import date
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.engine.period import Night
from tests.spark_jobs.nightly.conftest import jobs, nights
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Dataset, Table
from tidemark.core.dataset_parser import parse_dataset

__all__ = ["jobs", "nights"]


FIRST, SECOND = date(2026, 7, 1), date(2026, 7, 2)


VISITS = parse_dataset(
    {
        "name": "site",
        "prefix": "site/",
        "record": {"path": "string"},
        "tables": {
            "visits": {"columns": {"path": "string(64)", "day": "date", "bytes": "bigint"}, "day": "day"},
            "totals": {
                "kind": "additive",
                "columns": {"path": "string(64)", "visits": "int", "paid": "decimal(12,2)"},
                "sums": ["visits", "paid"],
            },
        },
    }
)


SUMMARY = parse_dataset(
    {
        "name": "probe",
        "every": "day",
        "reads": {"visits": "period", "totals": "whole"},
        "parameters": {"least": 2},
        "tables": {
            "summary": {"columns": {"day": "date", "visits": "bigint", "bytes": "bigint"}, "day": "day"},
            "paths": {"columns": {"path": "string(64)", "visits": "int", "paid": "decimal(12,2)"}},
        },
    }
)


Given = Callable[[Callable[[Night], Mapping[str, DataFrame]]], Dataset]


def visits(*rows: tuple[str, date | None, int], **more: pa.Array) -> pa.Table:
    path, day, size = zip(*rows, strict=True)
    columns = {"path": pa.array(path), "day": pa.array(day, pa.date32()), "bytes": pa.array(size, pa.int64())}
    return pa.table({**columns, **more, "_batch_id": pa.array(["b"] * len(rows))})


def totals(*rows: tuple[str | None, int, str]) -> pa.Table:
    path, number, paid = zip(*rows, strict=True)
    return pa.table(
        {
            "path": pa.array(path, pa.string()),
            "visits": pa.array(number, pa.int32()),
            "paid": pa.array(paid).cast(pa.decimal128(12, 2)),
        }
    )


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Given:
    """The job `probe` with a given computation."""

    def given(compute: Callable[[Night], Mapping[str, DataFrame]]) -> Dataset:
        module = ModuleType("spark_jobs.nightly.probe")
        module.compute = compute  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return SUMMARY

    return given


def summarised(night: Night) -> dict[str, DataFrame]:
    counted = night.tables["visits"].groupBy("day").agg(F.count("*").alias("visits"), F.sum("bytes").alias("bytes"))
    return {"summary": counted, "paths": night.tables["totals"].where(F.col("visits") >= night.parameters["least"])}


def pinned(nights: Any, *files: pa.Table, sums: tuple[pa.Table, ...] = ()) -> tuple[Any, Any]:
    """The visits of the first day, and all totals."""
    return (
        nights.pinned(VISITS.table("visits"), [nights.put(file) for file in files], (FIRST, SECOND)),
        nights.pinned(VISITS.table("totals"), [nights.put(file) for file in sums]),
    )


EVENTS = Table(
    "events",
    "latest",
    (Column("id", ColumnType.parse("string(64)")), Column("at", ColumnType.parse("date"))),
    day="at",
    key="id",
)
