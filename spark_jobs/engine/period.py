"""Runs one period of a nightly job: reads published tables, writes tables and returns a report.

A job's module receives only a `Night`. Its input is fixed to snapshots, so that a replay reads the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Union

from pyspark.sql import DataFrame, SparkSession

from spark_jobs.engine import snapshot_reader, writer
from spark_jobs.engine.batch import timed, versions, written_tables
from spark_jobs.engine.hadoop import FileSystem
from tidemark.core.dataset import Dataset
from tidemark.core.job import JobSpec, Result
from tidemark.core.manifest import NightlyManifest
from tidemark.core.periods import Period

_ARTIFACT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class Night:
    """A nightly job's input, and the place for artifacts besides its tables."""

    spark: SparkSession
    tables: Mapping[
        str, DataFrame
    ]  # as declared under `reads`: the declared columns, and the rows of the requested days
    period: Period
    parameters: Mapping[str, Any]  # as declared
    output: str  # s3:// prefix of this attempt, ending in /
    artifacts: dict[str, str] = field(default_factory=dict)  # name → URI, for the report

    def artifact(self, name: str) -> str:
        """Adds an artifact to the report; the URI to which the job then writes it, such as a Spark model."""
        if not _ARTIFACT.fullmatch(name):
            raise ValueError(f"expected an artifact's name such as model.json, found {name!r}")
        return self.artifacts.setdefault(name, f"{self.output}artifacts/{name}")

    def save(self, name: str, data: Union[str, bytes]) -> None:
        """Write an artifact; text becomes UTF-8."""
        FileSystem(self.spark).write(self.artifact(name), data)


Compute = Callable[[Night], Mapping[str, DataFrame]]


def run(spark: SparkSession, spec: JobSpec, manifest: NightlyManifest, seconds: dict[str, float]) -> Result:
    """Read, compute and write; the result, for the caller to write. Adds the time of each step to `seconds`."""
    dataset, system = spec.dataset, FileSystem(spark)
    compute = compute_of(dataset)
    with timed(seconds, "read"):
        read = {source.table: snapshot_reader.read(spark, source) for source in manifest.inputs}
    with timed(seconds, "write"):
        parameters = dataset.nightly.parameters if dataset.nightly else {}
        tables = {name: frame for name, (frame, _) in read.items()}
        night = Night(spark, tables, manifest.period, parameters, spec.output)
        content_bytes = manifest.total_bytes * writer.SHRINKAGE  # the input is compressed Parquet, not raw content
        files, days = written_tables(spec, compute(night), "nightly", content_bytes, system)
    spark.catalog.clearCache()
    return Result(
        batch_id=spec.batch_id,
        attempt=spec.attempt,
        dataset=dataset.name,
        files=(),
        tables=files,
        days=days,
        rejected=(),
        inputs={name: rows for name, (_, rows) in read.items()},
        artifacts=night.artifacts,
        seconds=seconds,
        versions=versions(spark),
    )


def compute_of(dataset: Dataset) -> Compute:
    """The `compute` function of the job's module."""
    compute: Compute = import_module(f"spark_jobs.nightly.{dataset.transform}").compute
    return compute
