"""Compares the whole job with a plain script and DuckDB: `python -m benchmarks.jobs [--megabytes 1000] [--rounds 3]`

All read the same clean, newline-delimited web logs in four uncompressed files, and write three tables as Parquet: the
requests, requests by user and day, and failed requests by status, path and day.

    plain     as in tutorials: `read.json` with schema inference and one action per table, which reads the files again
    schema    the same with an explicit schema
    ours      spark_jobs.engine.batch: exact reading, checks, quarantine, lineage, counts, result
    duckdb    the same tables with DuckDB on two threads

Prints median seconds and their ratio to ours. The first round is a warm-up and does not count.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from benchmarks.stage import large_files, objects, session, versions
from spark_jobs.engine.batch import run
from tidemark.adapters.dataset_files import load_file
from tidemark.core.job import JobSpec
from tidemark.core.manifest import Manifest

DATASET = load_file(Path(__file__).resolve().parent.parent / "datasets" / "web_logs.yaml")
SCHEMA = ", ".join(f"`{field.name}` {field.type.spark}" for field in DATASET.record)
FILES = 4


def plain(spark: SparkSession, paths: list[Path], out: Path, schema: str | None = None) -> None:
    """A script as found in tutorials, in which every table reads the files again."""

    def logs() -> DataFrame:
        reader = spark.read.schema(schema) if schema else spark.read
        return reader.json([path.as_uri() for path in paths]).withColumn("event_date", F.to_date("timestamp"))

    activity = logs().groupBy("user_id", "event_date").count()
    errors = logs().where("status_code >= 400").groupBy("status_code", "path", "event_date").count()
    for name, frame in {"web_events": logs(), "user_activity": activity, "error_patterns": errors}.items():
        frame.write.mode("overwrite").parquet(str(out / name))


def ours(spark: SparkSession, paths: list[Path], lake: Path, number: int) -> None:
    """An attempt of a batch as EMR runs it, but in an existing session."""
    output = f"s3://lake/batches/{number:04d}/"
    manifest = Manifest("web_logs.t.1", 1, "web_logs", tuple(versions(paths)))
    result = run(spark, JobSpec("web_logs.t.1", 1, DATASET, "s3://lake/none", output), manifest, {})
    assert result.total("rejected") == 0, result.files
    shutil.rmtree(lake / "batches")


def duck(paths: list[Path], out: Path) -> None:
    """The same tables with DuckDB, which has an explicit schema and reads the files once."""
    columns = ", ".join(f"{field.name}: '{field.type.redshift}'" for field in DATASET.record)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        listed = ", ".join(f"'{path}'" for path in paths)
        connection.execute(
            f"CREATE TABLE logs AS SELECT *, CAST(timestamp AS DATE) AS event_date"
            f" FROM read_json([{listed}], format='newline_delimited', columns={{{columns}}})"
        )
        for name, sql in {
            "web_events": "SELECT * FROM logs",
            "user_activity": "SELECT user_id, event_date, COUNT(*) FROM logs GROUP BY ALL",
            "error_patterns": "SELECT status_code, path, event_date, COUNT(*) FROM logs"
            " WHERE status_code >= 400 GROUP BY ALL",
        }.items():
            connection.execute(f"COPY ({sql}) TO '{out / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def measured(variants: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The median seconds of each variant; the variants alternate, so that other load affects all of them."""
    spent: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds + 1):
        for name, variant in variants.items():
            started = time.monotonic()
            variant()
            spent[name].append(time.monotonic() - started)
    return {name: statistics.median(seconds[1:]) for name, seconds in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, objects():
        folder, lake, out = (Path(scratch, name) for name in ("raw", "lake", "out"))
        for directory in (folder, lake, out):
            directory.mkdir()
        paths, numbers = large_files(folder, options.megabytes, FILES), itertools.count()
        spark = session(lake)
        variants: dict[str, Callable[[], None]] = {
            "plain": lambda: plain(spark, paths, out),
            "schema": lambda: plain(spark, paths, out, SCHEMA),
            "ours": lambda: ours(spark, paths, lake, next(numbers)),
            "duckdb": lambda: duck(paths, out),
        }
        seconds = measured(variants, options.rounds)
        spark.stop()
    print(f"{options.megabytes} MB in {FILES} files, medians of {options.rounds} rounds")
    for name, spent in seconds.items():
        print(f"{name:8} {spent:7.2f} s   {spent / seconds['ours']:5.2f} of ours")


if __name__ == "__main__":
    main()
