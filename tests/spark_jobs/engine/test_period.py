"""The engine of nightly jobs: pinned Parquet on an S3 server in, tables, artifacts and a report out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.engine.period import Night
from tidemark.adapters.dataset_files import load_all
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_checks import table_owner
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.job import RunFailure

pytestmark = [
    pytest.mark.spark,
    # Sockets of py4j that end with the garbage.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]

NIGHTLY = Path(__file__).resolve().parents[3] / "datasets" / "nightly"
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
def job(monkeypatch: pytest.MonkeyPatch) -> Given:
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


def test_pinned_files_become_tables_and_a_result(nights: Any, job: Given) -> None:
    """Rows of other days are read and counted, and not shown to the job; additive rows come summed by their keys."""
    inputs = pinned(
        nights,
        visits(("/", FIRST, 10), ("/", SECOND, 500), ("/a", FIRST, 1)),
        visits(("/b", None, 7), ("/b", FIRST, 100)),
        sums=(totals(("/", 1, "0.10"), ("/a", 1, "9.00"), (None, 1, "1.00")), totals(("/", 2, "0.20"), (None, 4, "0"))),
    )
    assert nights.run(job(summarised), FIRST, *inputs, attempt=3) == 0

    assert nights.rows("summary") == [{"day": FIRST, "visits": 3, "bytes": 111}]
    assert [(row["path"], row["visits"], str(row["paid"])) for row in nights.rows("paths")] == [
        ("/", 3, "0.30"),
        (None, 5, "1.00"),
    ]
    result = nights.result
    assert (result["batch_id"], result["attempt"], result["dataset"]) == (nights.batch_id, 3, "probe")
    assert result["inputs"] == nights.manifest.rows == {"visits": 5, "totals": 5}
    assert {name: (table["rows"], table["days"]) for name, table in result["tables"].items()} == {
        "summary": (1, ["2026-07-01"]),
        "paths": (2, []),
    }
    assert (result["files"], result["rejected"], result["artifacts"]) == ([], {"rows": 0, "files": []}, {})
    assert result["totals"] == {"read": 10, "kept": 10, "rejected": 0, "duplicate_records": 0}
    assert set(result["seconds"]) == {"session", "read", "write"}


def test_a_column_that_an_older_file_lacks_is_null(nights: Any, job: Given) -> None:
    """A column that is no longer declared, or declared wider, causes no problem."""
    older = visits(("/", FIRST, 1), more=pa.array([1])).drop_columns("bytes")
    narrow = visits(("/", FIRST, 0)).set_column(2, "bytes", pa.array([5], pa.int32()))
    inputs = pinned(nights, older, narrow, visits(("/", FIRST, 2)))
    seen: list[Any] = []

    def compute(night: Night) -> dict[str, DataFrame]:
        seen.append(night.tables["visits"])
        return summarised(night)

    assert nights.run(job(compute), FIRST, *inputs) == 0
    assert seen[0].dtypes == [("path", "string"), ("day", "date"), ("bytes", "bigint")]
    assert nights.rows("summary") == [{"day": FIRST, "visits": 3, "bytes": 7}]


def test_tables_without_files_are_empty(nights: Any, job: Given) -> None:
    """A night of nothing is a night, and its tables are there."""
    assert nights.run(job(summarised), FIRST, *pinned(nights)) == 0
    assert nights.result["inputs"] == {"visits": 0, "totals": 0}
    assert nights.result["tables"] == {
        "summary": {"rows": 0, "files": [], "days": []},
        "paths": {"rows": 0, "files": [], "days": []},
    }


def test_a_job_knows_its_period_and_leaves_artifacts(nights: Any, job: Given) -> None:
    """Artifacts are text, bytes or written by Spark; the report has the address of each."""

    def compute(night: Night) -> dict[str, DataFrame]:
        night.save("model.json", json.dumps({"as_of": night.period.name, "days": len(night.period.days)}))
        night.save("small/bytes", b"\x00\xff")
        night.spark.range(1).write.parquet(night.artifact("spark_model"))
        return summarised(night)

    assert nights.run(job(compute), FIRST, *pinned(nights)) == 0
    folder = nights.place / "artifacts"
    assert json.loads((folder / "model.json").read_text()) == {"as_of": "2026-07-01", "days": 1}
    assert (folder / "small" / "bytes").read_bytes() == b"\x00\xff"
    assert list((folder / "spark_model").glob("*.parquet"))
    output = f"s3://lake/{nights.place.relative_to(nights.lake)}/artifacts/"
    assert nights.result["artifacts"] == {name: output + name for name in ("model.json", "small/bytes", "spark_model")}


@pytest.mark.parametrize("name", ["../model.json", "/model.json", "", "a//b", "a/../b", ".hidden"])
def test_an_artifact_stays_below_its_attempt(spark: SparkSession, name: str) -> None:
    """A name is a name, never a way to another attempt's files."""
    night = Night(spark, {}, None, {}, "s3://lake/x/")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected an artifact's name such as model\.json, found "):
        night.artifact(name)
    assert night.artifacts == {}


def test_rows_that_differ_from_what_was_pinned_fail_the_job(nights: Any, job: Given) -> None:
    """The snapshot said how many there are; with fewer, a report would be wrong in silence."""
    file = nights.put(visits(("/", FIRST, 1)))
    short = nights.pinned(VISITS.table("visits"), [type(file)(file.bucket, file.key, file.size, 2)], (FIRST, SECOND))
    assert nights.run(job(summarised), FIRST, short, pinned(nights)[1]) == 1
    assert nights.failure["message"] == "Unbalanced: rows of visits: expected 2, found 1"
    assert not (nights.place / "result.json").exists()


@pytest.mark.parametrize("body", [None, b"no Parquet", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_pinned_file_that_is_gone_or_damaged_is_named_and_not_to_blame(
    nights: Any, job: Given, body: bytes | None
) -> None:
    """A table's file cannot be quarantined, so the reason names the file and the batch is simply retried."""
    file = nights.put_bytes(body or b"", 1)
    if body is None:
        nights.s3.delete_object(Bucket=file.bucket, Key=file.key)
    broken = nights.pinned(VISITS.table("visits"), [file], (FIRST, SECOND))
    assert nights.run(job(summarised), FIRST, broken, pinned(nights)[1]) == 1
    report = RunFailure.loads(json.dumps(nights.failure))
    assert (report.kind, report.file) == ("unknown", None)
    assert report.message.startswith(file.uri)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (
            lambda night: {"summary": summarised(night)["summary"]},
            "nightly.probe: expected the tables paths, summary, found summary",
        ),
        (
            lambda night: {**summarised(night), "summary": summarised(night)["summary"].drop("bytes")},
            "summary: expected a column `bytes`, found day, visits",
        ),
    ],
)
def test_a_job_that_breaks_its_declaration_is_told_where(
    nights: Any, job: Given, compute: Callable[[Night], Mapping[str, DataFrame]], message: str
) -> None:
    """The contract is that of a transform: the declared tables, with the declared columns."""
    assert nights.run(job(compute), FIRST, *pinned(nights)) == 1
    assert (nights.failure["kind"], nights.failure["message"]) == ("beyond", message)


def test_sums_may_outgrow_the_type_of_what_is_summed(nights: Any, job: Given) -> None:
    """Two sums that fill their decimal and their int are read as what they add up to, as the warehouse's view shows."""
    largest = ("/", 2**31 - 1, "9999999999.99")
    seen: list[tuple[Any, ...]] = []

    def looked_at(night: Night) -> dict[str, DataFrame]:
        seen.extend(map(tuple, night.tables["totals"].collect()))
        return {name: frame.limit(0) for name, frame in summarised(night).items()}

    assert nights.run(job(looked_at), FIRST, *pinned(nights, sums=(totals(largest), totals(largest)))) == 0
    assert seen == [("/", 2**32 - 2, Decimal("19999999999.98"))]


@pytest.mark.parametrize("name", sorted(path.stem for path in NIGHTLY.glob("*.yaml")))
def test_every_job_keeps_its_declaration_on_a_night_of_nothing(nights: Any, name: str) -> None:
    """Tables, columns and types are as declared, and no row makes no trouble."""
    datasets = load_all(NIGHTLY.parent)
    job = datasets[name]
    assert job.nightly
    read = [table_owner(datasets, read.table) for read in job.nightly.reads]
    assert nights.run(job, FIRST, *(nights.pinned(owner[1], []) for owner in read if owner)) == 0
    assert {table: listed["rows"] for table, listed in nights.result["tables"].items()} == {
        table.name: 0 for table in job.tables
    }
