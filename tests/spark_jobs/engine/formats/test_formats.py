"""Formats from objects to tables: the choice of the reader, the transform's input, and the days of the rows."""

from __future__ import annotations

import bz2
import io
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.engine import batch, touched_days
from spark_jobs.engine.formats import reader_for
from tests.spark_jobs.conftest import LAKE, Bucket
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Dataset, Field, Format, Table
from tidemark.core.files import FileVersion
from tidemark.core.job import JobSpec
from tidemark.core.manifest import Manifest

FIELDS = (Field("id", ColumnType.parse("string(64)"), True), Field("at", ColumnType.parse("date")))
EVENTS = Table(
    "events",
    "latest",
    (Column("id", ColumnType.parse("string(64)")), Column("at", ColumnType.parse("date"))),
    day="at",
    key="id",
)
HEADER = b"name,at,color\n"


@pytest.mark.parametrize("type_", ["json", "csv", "tsv", "parquet", "orc", "avro"])
def test_every_format_has_a_reader_that_reads_nothing_from_nothing(type_: str) -> None:
    """All return the same columns and, for an empty object, only its end."""
    reader = reader_for(Format(type_), FIELDS)
    assert reader.schema.names == ["id", "at", "_rescued"]
    (end,) = reader.read([])
    assert end == (0, None)


def zipped(*entries: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, entry in enumerate(entries):
            archive.writestr(f"{number}.csv", entry)
    return sink.getvalue()


class Given:
    """A transform that passes everything on, and remembers the columns that it was given."""

    columns: tuple[str, ...] = ()

    def __call__(self, records: DataFrame) -> Mapping[str, DataFrame]:
        self.columns = tuple(records.columns)
        return {"events": records}


@pytest.mark.spark
def test_a_batch_of_csv_becomes_a_table_whatever_its_files_are_packed_with(
    spark: SparkSession, raw: Bucket, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row says from which file it came, when that landed, as which record of it, and what else it said."""
    bodies = {
        "e/a.csv": HEADER + b"u1,2026-11-20,red\nu2,2026-11-19,\n",
        "e/b.zip": zipped(HEADER + b"u3,2026-11-20,blue", HEADER + b"u4,nowhen,\n"),
        "e/c": bz2.compress(HEADER + b"u5,,\n"),
    }
    files = tuple(FileVersion(**raw.put(key, body)) for key, body in bodies.items())
    landed = FileVersion(**{**files[0].to_json(), "landed_at": "2026-11-21T08:27:43.120Z"})
    fields = (Field("id", FIELDS[0].type, required=True, source="name"), FIELDS[1])
    dataset = Dataset("events", "e/", fields, "events", (EVENTS,), format=Format("csv"))
    given = Given()
    monkeypatch.setattr(batch, "transform_of", lambda _: given)
    spec = JobSpec("events.1", 1, dataset, "", f"s3://{LAKE}/formats/")
    result = batch.run(spark, spec, Manifest("events.1", 1, "events", (landed, *files[1:])), {})

    assert given.columns == ("id", "at", "_rescued", "_ordinal", "_file", "_landed_at")
    assert [(file.kept, file.rejected, file.problem) for file in result.files] == [
        (2, 0, None),
        (1, 1, None),
        (1, 0, None),
    ]
    assert result.days["events"] == ("2026-11-19", "2026-11-20")
    rows: list[dict[str, Any]] = [
        row
        for file in result.tables["events"]
        for row in pq.ParquetFile(lake / file.uri.removeprefix(f"s3://{LAKE}/")).read().to_pylist()
    ]
    shown = [(row["id"], row["_file"], row["_ordinal"], row["_rescued"], str(row["_landed_at"])) for row in rows]
    assert sorted(shown) == [
        ("u1", "s3://raw/e/a.csv", 0, '{"color":"red"}', "2026-11-21 08:27:43.120000+00:00"),
        ("u2", "s3://raw/e/a.csv", 1, None, "2026-11-21 08:27:43.120000+00:00"),
        ("u3", "s3://raw/e/b.zip", 0, '{"color":"blue"}', "None"),
        ("u5", "s3://raw/e/c", 0, None, "None"),
    ]


@pytest.mark.spark
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("a", date(2026, 11, 20)), ("b", date(2026, 11, 19)), ("c", date(2026, 11, 20)), ("d", None)], 2),
        ([("a", None)], 0),
        ([], 0),
    ],
)
def test_the_days_of_a_table_are_told_while_it_is_written(
    spark: SparkSession, tmp_path: Path, rows: list[tuple[str, date | None]], expected: int
) -> None:
    """Each once and in order; a row without a day has none, and a table without rows has none."""
    frame, told = touched_days.observed(spark.createDataFrame(rows, "id string, at date").repartition(3), EVENTS)
    frame.coalesce(1).write.parquet(str(tmp_path / "out"))
    assert told() == ["2026-11-19", "2026-11-20"][:expected]


@pytest.mark.spark
def test_a_table_without_a_day_has_no_days(spark: SparkSession) -> None:
    """And the frame is what it was."""
    frame = spark.range(1)
    same, told = touched_days.observed(frame, Table("t", "facts", (Column("id", ColumnType("bigint")),)))
    assert (same is frame, told()) == (True, [])


@pytest.mark.spark
def test_the_days_of_rows_that_an_empty_plan_never_had_are_told_at_once(spark: SparkSession, tmp_path: Path) -> None:
    """Spark omits a plan that cannot have rows, so its observation would never arrive."""
    empty = spark.createDataFrame([("a", date(2026, 11, 20))], "id string, at date").where("false")
    frame, told = touched_days.observed(empty, EVENTS)
    frame.coalesce(1).write.parquet(str(tmp_path / "out"))
    assert told() == []
