"""An undeclared field is kept, and fills its column when it is declared later and the files are replayed."""

from __future__ import annotations

import bz2
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.engine import batch
from tests.spark_jobs.conftest import LAKE, Bucket
from tests.spark_jobs.engine.conftest import EVENTS
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Dataset, Field, Format
from tidemark.core.files import FileVersion
from tidemark.core.job import JobSpec
from tidemark.core.manifest import Manifest

FIELDS = (Field("id", ColumnType.parse("string(64)"), True), Field("at", ColumnType.parse("date")))

HEADER = b"name,at,color\n"


RECORDS = [
    {"visit": 1, "at": "2026-07-01T12:00:00Z", "Score": 1.5},
    {"visit": 2, "at": "2026-07-01T12:00:01Z", "Score": None},
    {"visit": 3, "at": "2026-07-01T12:00:02Z", "Score": 2.25},
]


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist([{**one, "at": datetime.fromisoformat(str(one["at"]))} for one in RECORDS]), sink
    )
    return sink.getvalue()


def declaration(format_: str, **more: Any) -> dict[str, Any]:
    """Visits, with more fields than at first."""
    return {
        "name": "visits",
        "prefix": "visits/",
        "format": {"type": format_},
        "record": {"visit": {"type": "bigint", "required": True}, "at": "timestamp", **more},
        "transform": "visits",
        "tables": {
            "visits": {
                "kind": "facts",
                "columns": {"visit": "bigint", "at": "timestamp"} | {name: keys["type"] for name, keys in more.items()},
            }
        },
    }


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dataset's own transform: every record is a row."""

    def transform(records: DataFrame) -> dict[str, DataFrame]:
        return {"visits": records}

    module = ModuleType("spark_jobs.transforms.visits")
    module.transform = transform  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.parametrize(
    ("format_", "body", "nothing"),
    [
        ("json", b"\n".join(json.dumps(one).encode() for one in RECORDS), '{"Score":null}'),
        ("parquet", parquet(), None),
    ],
    ids=["json", "parquet"],
)
def test_a_field_that_is_declared_later_fills_its_column(
    spark: SparkSession, raw: Any, lake: Path, visits: None, format_: str, body: bytes, nothing: str | None
) -> None:
    """First the row keeps it aside; once the declaration knows it, the same file gives the column instead."""
    file = raw.put(f"visits/{format_}", body)

    def run(attempt: int, **more: Any) -> list[tuple[Any, ...]]:
        place = f"batches/visits/{format_}/{attempt:04d}/"
        spec = JobSpec.parse(
            {
                "batch_id": f"visits.20260701T120000.{format_}",
                "attempt": attempt,
                "dataset": declaration(format_, **more),
                "manifest": "",
                "output": f"s3://lake/{place}",
            }
        )
        manifest = {"batch_id": spec.batch_id, "attempt": attempt, "dataset": "visits", "files": [file], "bytes": 0}
        result = batch.run(spark, spec, Manifest.loads(json.dumps(manifest)), {})
        assert [result.total(what) for what in ("read", "kept", "rejected", "duplicate_records")] == [3, 3, 0, 0]
        [written] = result.tables["visits"]
        rows = pq.ParquetFile(lake / written.uri.removeprefix("s3://lake/")).read().to_pylist()
        assert [row["at"] for row in rows] == [datetime(2026, 7, 1, 12, 0, second, tzinfo=UTC) for second in range(3)]
        return [(row["visit"], row.get("score"), row["_rescued"]) for row in rows]

    assert run(1) == [(1, None, '{"Score":1.5}'), (2, None, nothing), (3, None, '{"Score":2.25}')]
    declared = {"type": "double", "from": "Score"}
    assert run(2, score=declared) == [(1, 1.5, None), (2, None, None), (3, 2.25, None)]


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
