"""Measures deduplication across batches: `python -m benchmarks.keys [--millions 1,10] [--files 100] [--records 10000]`

Writes that many keys of 36 characters to Parquet files on a local server, reads them as a job does, and marks the
duplicates in one small batch, in which a tenth of the records repeat a key. Prints seconds, bytes and the JVM's peak
heap. The first line, with 10,000 keys, is a warm-up.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession, functions

from benchmarks.stage import objects, session
from spark_jobs.engine import seen_keys
from tidemark.core.files import FileVersion

SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd, so that no two numbers share a key


def key(number: int) -> str:
    """A key of 36 characters, like a UUID; the same number gives the same key."""
    text = f"{number * SPREAD % (1 << 128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def write(folder: Path, count: int, files: int) -> list[FileVersion]:
    """Write the keys of the numbers below `count`, spread over the files."""
    written = []
    for number in range(files):
        listed = [key(one) for one in range(number, count, files)]
        path = folder / f"{number:05d}.parquet"
        pq.write_table(pa.table({"key": listed}), path, compression="zstd")
        written.append(FileVersion("lake", str(path).lstrip("/"), "", path.stat().st_size))
    return written


def batch(spark: SparkSession, records: int, known: int) -> DataFrame:
    """Records as the reader returns them, as wide as `transactions`; every tenth has a key that was seen."""
    numbers = [number % known if number % 10 == 0 else known + number for number in range(records)]
    frame = spark.createDataFrame([(0, index, key(number)) for index, number in enumerate(numbers)],
                                  "_source int, _ordinal bigint, transaction_id string")  # fmt: skip
    text = {f"text{number}": functions.lit("some text of a record") for number in range(6)}
    rejected = functions.lit(None).cast("struct<position bigint, line bigint, reason string, raw string>")
    return frame.withColumns({**text, "_rejected": rejected})


def peak_megabytes(spark: SparkSession, reset: bool = False) -> float:
    """The JVM's peak heap since the last reset; driver and executors share the JVM."""
    factory: Any = spark._jvm.java.lang.management.ManagementFactory  # noqa: SLF001
    pools = [pool for pool in factory.getMemoryPoolMXBeans() if str(pool.getType()) == "Heap memory"]
    if reset:
        spark._jvm.System.gc()  # noqa: SLF001
        for pool in pools:
            pool.resetPeakUsage()
    return float(sum(pool.getPeakUsage().getUsed() for pool in pools)) / 1e6


def main() -> None:
    """Print one line for each number of keys."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", default="1,10", help="numbers of keys in millions, one line each")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--records", type=int, default=10_000)
    options = parser.parse_args()
    with objects():
        spark = session()
        for millions in [0.01, *map(float, options.millions.split(","))]:
            measure(spark, int(millions * 1e6), options.files, options.records)
        spark.stop()


def measure(spark: SparkSession, count: int, files: int, records: int) -> None:
    """Read `count` keys, mark the duplicates among `records` records, and print the cost."""
    with tempfile.TemporaryDirectory() as folder:
        written = write(Path(folder), count, files)
        peak_megabytes(spark, reset=True)
        began = time.monotonic()
        seen = seen_keys.read(spark, written)
        marked = seen_keys.duplicates_marked(batch(spark, records, count), "transaction_id", seen)
        duplicates = marked.where("_duplicate").count()
        seconds = time.monotonic() - began
    assert duplicates == records / 10, duplicates
    print(
        f"{count:,} keys, {files} files, {sum(file.size for file in written) / 1e6:.0f} MB: {seconds:.1f} s, "
        f"peak heap {peak_megabytes(spark):.0f} MB"
    )


if __name__ == "__main__":
    main()
