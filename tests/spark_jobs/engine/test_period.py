"""The engine of nightly jobs: pinned Parquet on an S3 server in, tables, artifacts and a report out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.engine.period import Night
from tests.spark_jobs.engine.conftest import FIRST, SECOND, VISITS, Given, pinned, summarised, totals, visits
from tidemark.adapters.dataset_files import load_all
from tidemark.core.dataset_checks import table_owner

NIGHTLY = Path(__file__).resolve().parents[3] / "datasets" / "nightly"


def test_pinned_files_become_tables_and_a_result(nights: Any, probe: Given) -> None:
    """Rows of other days are read and counted, and not shown to the job; additive rows come summed by their keys."""
    inputs = pinned(
        nights,
        visits(("/", FIRST, 10), ("/", SECOND, 500), ("/a", FIRST, 1)),
        visits(("/b", None, 7), ("/b", FIRST, 100)),
        sums=(totals(("/", 1, "0.10"), ("/a", 1, "9.00"), (None, 1, "1.00")), totals(("/", 2, "0.20"), (None, 4, "0"))),
    )
    assert nights.run(probe(summarised), FIRST, *inputs, attempt=3) == 0

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


def test_a_job_knows_its_period_and_leaves_artifacts(nights: Any, probe: Given) -> None:
    """Artifacts are text, bytes or written by Spark; the report has the address of each."""

    def compute(night: Night) -> dict[str, DataFrame]:
        night.save("model.json", json.dumps({"as_of": night.period.name, "days": len(night.period.days)}))
        night.save("small/bytes", b"\x00\xff")
        night.spark.range(1).write.parquet(night.artifact("spark_model"))
        return summarised(night)

    assert nights.run(probe(compute), FIRST, *pinned(nights)) == 0
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


def test_rows_that_differ_from_what_was_pinned_fail_the_job(nights: Any, probe: Given) -> None:
    """The snapshot said how many there are; with fewer, a report would be wrong in silence."""
    file = nights.put(visits(("/", FIRST, 1)))
    short = nights.pinned(VISITS.table("visits"), [type(file)(file.bucket, file.key, file.size, 2)], (FIRST, SECOND))
    assert nights.run(probe(summarised), FIRST, short, pinned(nights)[1]) == 1
    assert nights.failure["message"] == "Unbalanced: rows of visits: expected 2, found 1"
    assert not (nights.place / "result.json").exists()


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
    nights: Any, probe: Given, compute: Callable[[Night], Mapping[str, DataFrame]], message: str
) -> None:
    """The contract is that of a transform: the declared tables, with the declared columns."""
    assert nights.run(probe(compute), FIRST, *pinned(nights)) == 1
    assert (nights.failure["kind"], nights.failure["message"]) == ("beyond", message)


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
