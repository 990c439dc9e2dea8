"""An undeclared field is kept, and fills its column when it is declared later and the files are replayed."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.engine import batch
from tidemark.core.job import JobSpec
from tidemark.core.manifest import Manifest

pytestmark = [
    pytest.mark.spark,
    # Sockets of py4j that end with the garbage.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]

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
