"""Compares the reader's speed with that of Spark's: `python -m benchmarks.reader [--megabytes 250] [--rounds 3]`

Both read the same web logs into the same columns: clean, newline-delimited JSON, which Spark's reader can read. There
are many small gzip files (2,000 for 250 MB) and four large uncompressed ones. Spark reads from a folder, ours by HTTP
as from S3. Then ours alone reads the small files with records that are concatenated, as Firehose delivers them; Spark
would read only the first record of each file. Prints median seconds and their ratio. The first round is a warm-up and
does not count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from benchmarks.stage import large_files, objects, session, small_files, versions
from spark_jobs.engine import reader
from tidemark.adapters.dataset_files import load_file

DATASET = load_file(Path(__file__).resolve().parent.parent / "datasets" / "web_logs.yaml")


def ours(spark: SparkSession, paths: list[Path]) -> DataFrame:
    return reader.read(spark, versions(paths), DATASET.record, DATASET.format).where(
        "_rejected IS NULL AND _end IS NULL"
    )


def sparks(spark: SparkSession, paths: list[Path]) -> DataFrame:
    schema = ", ".join(f"`{field.name}` {field.type.spark}" for field in DATASET.record)
    return spark.read.schema(schema).json([path.as_uri() for path in paths])


def seconds(frame: Callable[[], DataFrame], rounds: int) -> tuple[float, int]:
    """The median seconds of the rounds after the first, and the number of rows. Reads all columns and discards them."""
    spent, rows = [], 0
    for _ in range(rounds + 1):
        started = time.monotonic()
        read = frame()
        read.write.format("noop").mode("overwrite").save()
        spent.append(time.monotonic() - started)
        rows = rows or read.count()
    return statistics.median(spent[1:]), rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=250, help="of JSON in each of the two cases")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with objects():
        compare(session(), options.megabytes, options.rounds)


def compare(spark: SparkSession, megabytes: int, rounds: int) -> None:
    """Print a line for each of the cases."""
    for name, write in (("small gzip files", small_files), ("large files", four_large_files)):
        with tempfile.TemporaryDirectory() as folder:
            paths = write(Path(folder), megabytes)
            spark_seconds, spark_rows = seconds(partial(sparks, spark, paths), rounds)
            our_seconds, our_rows = seconds(partial(ours, spark, paths), rounds)
            assert spark_rows == our_rows, (spark_rows, our_rows)
            print(
                f"{name} ({len(paths)}, {our_rows} records): spark.read.json {spark_seconds:.2f} s, "
                f"ours {our_seconds:.2f} s, ratio {our_seconds / spark_seconds:.2f}"
            )
    with tempfile.TemporaryDirectory() as folder:
        paths = small_files(Path(folder), megabytes, end=b"")
        our_seconds, our_rows = seconds(partial(ours, spark, paths), rounds)
        print(f"small gzip files, concatenated records ({len(paths)}, {our_rows} records): ours {our_seconds:.2f} s")
    spark.stop()


def four_large_files(folder: Path, megabytes: int) -> list[Path]:
    return large_files(folder, megabytes, 4)


if __name__ == "__main__":
    main()
