"""Compares the codecs for a table's Parquet files: `python -m benchmarks.codecs [--megabytes 200] [--rounds 3]`

Writes the requests of web logs, with their lineage, once with each codec from the same cached rows, and reads each copy
back. Prints the size, and the median CPU seconds of all processes: EMR bills vCPU time, and a busy machine affects it
less than wall-clock time. The first round is a warm-up and does not count.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from benchmarks.cold import processor_seconds
from benchmarks.stage import large_files, session

CODECS = ("none", "snappy", "gzip", "zstd")


@dataclass
class Figures:
    bytes: int = 0
    written: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)


def spent(work: Callable[[], object]) -> float:
    """The CPU seconds that the work took in this process and its descendants."""
    before = processor_seconds()
    work()
    return processor_seconds() - before


def requests(spark: SparkSession, folder: Path, megabytes: int) -> DataFrame:
    """The rows of the table, cached."""
    paths = [path.as_uri() for path in large_files(folder, megabytes, 4)]
    rows = spark.read.json(paths).selectExpr(
        "*",
        "DATE(timestamp) AS event_date",
        "'web_logs.20260701T000000.00000000' AS _batch_id",
        "1 AS _attempt",
        "input_file_name() AS _file",
    )
    rows = rows.persist()
    rows.count()
    return rows


def write(rows: DataFrame, out: Path, codec: str) -> None:
    """Replaces `out` by the rows in the codec."""
    shutil.rmtree(out, ignore_errors=True)
    rows.coalesce(2).write.parquet(str(out), compression=codec)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures = {name: Figures() for name in CODECS}
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch, "raw"), Path(scratch, "out")
        folder.mkdir()
        spark = session()
        rows = requests(spark, folder, options.megabytes)
        for _ in range(options.rounds + 1):
            for name, measured in figures.items():
                measured.written.append(spent(lambda: write(rows, out, name)))  # noqa: B023  # runs at once
                measured.bytes = sum(path.stat().st_size for path in out.glob("*.parquet"))
                back = spark.read.parquet(str(out)).write.format("noop").mode("overwrite")
                measured.read.append(spent(back.save))
        spark.stop()
    print(f"{options.megabytes} MB of JSON, medians of {options.rounds} rounds")
    for name, measured in figures.items():
        write_seconds, read_seconds = (statistics.median(all_[1:]) for all_ in (measured.written, measured.read))
        print(f"{name:6} {measured.bytes / 1e6:7.1f} MB   write {write_seconds:5.1f} s   read {read_seconds:5.1f} s")


if __name__ == "__main__":
    main()
